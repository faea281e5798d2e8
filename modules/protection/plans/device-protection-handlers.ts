/** The routes of what one device is protected by. */

import type { Device, DeviceId, DeviceProtection } from "@mainstay/contract";
import { appendAudit, type HandlersOf, requestErrors, type Tx } from "@mainstay/platform";
import { announce } from "../announce.ts";
import type { ProtectionParts } from "../parts.ts";
import { ensureLocalRepository } from "../repositories/ensure-repository.ts";
import { describeRepositories, issueClientCredential } from "../repositories/repository-store.ts";
import {
  MACHINE_DEFAULT,
  readDeviceProtection,
  type StoredProtection,
  withKeptPasswords,
  withoutPassword,
  writeDeviceProtection,
} from "./device-protection-store.ts";
import { existingPlan } from "./plan-handlers.ts";

export function deviceProtectionHandlers(parts: ProtectionParts): HandlersOf<"deviceProtection"> {
  const { database, clock, identity } = parts.platform;
  return {
    read: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => shown(await protectionOf(parts, tx, params.deviceId))),
    update: async ({ caller, params, body }) => {
      const after = await database.inScope(caller.scope, async (tx) => {
        const before = await protectionOf(parts, tx, params.deviceId);
        const device = await parts.directory.readDevice(tx, params.deviceId);
        const probes =
          body.probes === undefined ? before.probes : withKeptPasswords(body.probes, before.probes);
        const changed: StoredProtection = { ...before, ...body, probes };
        await checkProtection(tx, device, changed);
        await writeDeviceProtection(tx, changed, parts.platform.keys.wrapper);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "device-protection.update",
          customerId: device.customerId,
          subject: { kind: "device", id: device.id, name: device.name },
          before: shown(before),
          after: shown(changed),
        });
        parts.agents.refresh(tx, device.id);
        await announce(parts, tx, "device-protection.changed", {
          customerId: device.customerId,
          deviceId: device.id,
          subjectId: device.id,
        });
        return changed;
      });
      return shown(after);
    },
    repositories: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        await parts.directory.readDevice(tx, params.deviceId);
        return { items: await describeRepositories(tx, params.deviceId) };
      }),
    issueCredentials: async ({ caller, params }) => {
      const device = await database.inScope(caller.scope, (tx) =>
        parts.directory.readDevice(tx, params.deviceId),
      );
      const repository = await ensureLocalRepository(parts, device);
      return await database.inScope(caller.scope, async (tx) => {
        const made = await issueClientCredential(tx, repository, clock.now());
        await appendAudit(tx, {
          actor: caller.actor,
          action: "rest-credential.issue",
          customerId: device.customerId,
          subject: { kind: "device", id: device.id, name: device.name },
          after: { username: made.username },
        });
        const url = `rest:${identity.address()}${restPath(repository.id)}`;
        return { url, ...made, repositoryPassword: repository.password };
      });
    },
  };
}

/** Where a repository is reached on this server. */
export function restPath(repositoryId: string): string {
  return `/restic/${repositoryId}/`;
}

/** What was set, or what holds while nothing was. */
export async function protectionOf(parts: ProtectionParts, tx: Tx, id: DeviceId): Promise<StoredProtection> {
  const device = await parts.directory.readDevice(tx, id);
  const stored = await readDeviceProtection(tx, id, parts.platform.keys.wrapper);
  return (
    stored ?? {
      deviceId: id,
      customerId: device.customerId,
      planId: null,
      sources: [],
      probes: [],
      machine: MACHINE_DEFAULT,
    }
  );
}

async function checkProtection(tx: Tx, device: Device, protection: StoredProtection): Promise<void> {
  if (protection.planId !== null) {
    const plan = await existingPlan(tx, protection.planId);
    if (plan.customerId !== null && plan.customerId !== device.customerId)
      throw requestErrors.error(
        "conflict",
        `Cannot follow plan "${plan.name}": it is another customer's; choose another`,
      );
  }
  const names = protection.sources.map((source) => source.name);
  refuseTwice("source", names);
  refuseTwice(
    "probe",
    protection.probes.map((probe) => probe.name),
  );
  const files = protection.sources.filter((source) => source.kind === "files").length;
  if (files > 0 && files < names.length)
    throw requestErrors.error(
      "conflict",
      "Cannot capture disks and files in one restore point: found both among the sources; take one kind out",
    );
}

function refuseTwice(noun: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw requestErrors.error(
      "conflict",
      `Cannot have two of one name: found ${noun} "${twice}" twice; rename one`,
    );
}

function shown(stored: StoredProtection): DeviceProtection {
  const { customerId: _customerId, ...protection } = stored;
  return { ...protection, probes: protection.probes.map(withoutPassword) };
}
