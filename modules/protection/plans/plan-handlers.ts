/** The routes of protection plans. */

import { type ProtectionPlan, protectionPlanId } from "@mainstay/contract";
import { must, newUuid } from "@mainstay/kit";
import {
  type Actor,
  appendAudit,
  type HandlersOf,
  notFound,
  requestErrors,
  type Tx,
} from "@mainstay/platform";
import { announce } from "../announce.ts";
import type { ProtectionParts } from "../parts.ts";
import { readVault } from "../vaults/vault-store.ts";
import {
  deletePlan,
  devicesOfPlan,
  insertPlan,
  isPlanNameTaken,
  listPlans,
  type PlanContent,
  readPlan,
  updatePlan,
} from "./plan-store.ts";

export function planHandlers(parts: ProtectionParts): HandlersOf<"protectionPlans"> {
  const { database, clock } = parts.platform;
  return {
    list: ({ caller, query }) =>
      database.inScope(caller.scope, (tx) => listPlans(tx, query.customerId, query)),
    read: ({ caller, params }) =>
      database.inScope(caller.scope, (tx) => existingPlan(tx, params.protectionPlanId)),
    create: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const { customerId, ...content } = body;
        if (customerId !== null) await parts.directory.readCustomer(tx, customerId);
        await refuseTakenName(tx, customerId, content.name, null);
        await checkReplicaVault(tx, content);
        const id = protectionPlanId.parse(newUuid(clock.now()));
        await insertPlan(tx, id, customerId, content, clock.now());
        const plan = must(await readPlan(tx, id), "the plan was just made");
        await note(parts, tx, caller.actor, "protection-plan.create", undefined, plan);
        return plan;
      }),
    update: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await existingPlan(tx, params.protectionPlanId);
        const content: PlanContent = { ...before, ...body };
        await refuseTakenName(tx, before.customerId, content.name, before.id);
        await checkReplicaVault(tx, content);
        await updatePlan(tx, before.id, content);
        const plan = must(await readPlan(tx, before.id), "the plan was just changed");
        await note(parts, tx, caller.actor, "protection-plan.update", before, plan);
        await refreshFollowers(parts, tx, plan);
        return plan;
      }),
    remove: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const plan = await existingPlan(tx, params.protectionPlanId);
        if (plan.devices > 0)
          throw requestErrors.error(
            "conflict",
            `Cannot remove plan "${plan.name}": ${plan.devices} devices follow it; give them another plan first`,
            { values: { devices: plan.devices } },
          );
        await deletePlan(tx, plan.id);
        await note(parts, tx, caller.actor, "protection-plan.remove", plan, undefined);
      }),
  };
}

export async function existingPlan(tx: Tx, id: string): Promise<ProtectionPlan> {
  const plan = await readPlan(tx, id);
  if (plan === undefined) throw notFound("protection plan", id);
  return plan;
}

async function refuseTakenName(
  tx: Tx,
  customerId: ProtectionPlan["customerId"],
  name: string,
  besides: string | null,
): Promise<void> {
  if (await isPlanNameTaken(tx, customerId, name, besides))
    throw requestErrors.error(
      "conflict",
      `Cannot name the plan "${name}": another has that name; choose another`,
    );
}

async function checkReplicaVault(tx: Tx, { replicateTo }: PlanContent): Promise<void> {
  if (replicateTo === null) return;
  const vault = await readVault(tx, replicateTo);
  if (vault === undefined) throw notFound("vault", replicateTo);
  if (vault.kind !== "mainstay")
    throw requestErrors.error(
      "conflict",
      `Cannot replicate to "${vault.name}": found this server's own vault, wanted another Mainstay; choose one off-site`,
    );
}

/** Times and bandwidth of a plan are part of what its devices are told. */
async function refreshFollowers(parts: ProtectionParts, tx: Tx, plan: ProtectionPlan): Promise<void> {
  for (const id of await devicesOfPlan(tx, plan.id)) {
    parts.agents.refresh(tx, id);
  }
}

async function note(
  parts: ProtectionParts,
  tx: Tx,
  actor: Actor,
  action: string,
  before: ProtectionPlan | undefined,
  after: ProtectionPlan | undefined,
): Promise<void> {
  const plan = must(after ?? before, "a change has a before or an after");
  const subject = { kind: "protection-plan", id: plan.id, name: plan.name };
  await appendAudit(tx, { actor, action, customerId: plan.customerId, subject, before, after });
  await announce(parts, tx, "protection-plan.changed", {
    customerId: plan.customerId,
    deviceId: null,
    subjectId: plan.id,
  });
}
