/** The routes that show everything at once. */

import type { Device, DeviceOverview, Overview, ProtectionPlan, Run, Verdict } from "@mainstay/contract";
import type { HandlersOf, Tx } from "@mainstay/platform";
import { listDeviceProtections } from "../plans/device-protection-store.ts";
import { listPlans } from "../plans/plan-store.ts";
import type { ProtectionParts } from "../parts.ts";
import { listOpenRuns } from "../runs/run-store.ts";
import { type DeviceFacts, readFacts, statusOf } from "./read-status.ts";

const RUN_KINDS = ["backup", "replication", "restore-test", "verification", "retention"] as const;

export function overviewHandlers(parts: ProtectionParts): HandlersOf<"overview"> {
  const { database, clock } = parts.platform;
  return {
    read: ({ caller, query }) =>
      database.inScope(caller.scope, async (tx): Promise<Overview> => {
        const ground = await readGround(parts, tx);
        const devices = (await parts.directory.listDevices(tx)).filter(
          (device) => device.state !== "archived",
        );
        const shown = (await parts.directory.listCustomers(tx)).filter(
          (customer) => customer.state === "active" && (query.customerId ?? customer.id) === customer.id,
        );
        const customers: Overview["customers"] = [];
        for (const customer of shown) {
          const own = devices.filter((device) => device.customerId === customer.id);
          const overviews: DeviceOverview[] = [];
          for (const device of own) overviews.push(await overviewOf(parts, tx, ground, device));
          customers.push({ customer, devices: overviews, verdicts: countVerdicts(overviews) });
        }
        const all = customers.flatMap((customer) => customer.devices);
        return { at: clock.now().toISOString(), devices: countVerdicts(all), customers };
      }),
    device: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const device = await parts.directory.readDevice(tx, params.deviceId);
        return await overviewOf(parts, tx, await readGround(parts, tx), device);
      }),
  };
}

/** What all devices of a request share. */
type Ground = {
  readonly plans: ReadonlyMap<string, ProtectionPlan>;
  readonly planOf: ReadonlyMap<string, string | null>;
  readonly facts: ReadonlyMap<string, DeviceFacts>;
  readonly openRuns: readonly Run[];
};

async function readGround(parts: ProtectionParts, tx: Tx): Promise<Ground> {
  const plans = new Map<string, ProtectionPlan>();
  let cursor: string | undefined;
  do {
    const page = await listPlans(
      tx,
      undefined,
      cursor === undefined ? { limit: 200 } : { limit: 200, cursor },
    );
    for (const plan of page.items) plans.set(plan.id, plan);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  const protections = await listDeviceProtections(tx, parts.platform.keys.wrapper);
  return {
    plans,
    planOf: new Map(protections.map((one) => [one.deviceId, one.planId])),
    facts: await readFacts(tx),
    openRuns: await listOpenRuns(tx, RUN_KINDS),
  };
}

async function overviewOf(
  parts: ProtectionParts,
  tx: Tx,
  ground: Ground,
  device: Device,
): Promise<DeviceOverview> {
  const site = await parts.directory.readSite(tx, device.siteId);
  const plan = ground.plans.get(ground.planOf.get(device.id) ?? "");
  const facts = ground.facts.get(device.id);
  const { id, name, timeZone } = site;
  return {
    device,
    site: { id, name, timeZone },
    plan: plan === undefined ? null : { id: plan.id, name: plan.name },
    protection: statusOf(device, plan, facts, parts.platform.clock.now()),
    activeRuns: ground.openRuns
      .filter((run) => run.deviceId === device.id)
      .map((run) => ({ ...run, progress: parts.progress.of(run.id) ?? null })),
    restorePoints: facts?.points ?? 0,
    storedBytes: facts?.stored_bytes ?? null,
  };
}

function countVerdicts(devices: readonly DeviceOverview[]): Record<Verdict, number> {
  const counts = { protected: 0, "at-risk": 0, "not-protected": 0, "not-measured": 0 };
  for (const { protection } of devices) counts[protection.verdict] += 1;
  return counts;
}
