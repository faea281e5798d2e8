/** What an agent is told to back up, where to, and how often. */

import type { BackupDesired } from "@mainstay/contract";
import type { AgentDevice, Tx } from "@mainstay/platform";
import type { ProtectionParts } from "../parts.ts";
import { agentCredential, primaryRepository } from "../repositories/repository-store.ts";
import { restPath } from "./device-protection-handlers.ts";
import { readDeviceProtection } from "./device-protection-store.ts";
import { readPlan } from "./plan-store.ts";

/**
 * `null`: nothing to capture, or its repository is not made yet (its making asks for this again). Runs in the device's own
 * customer scope.
 */
export async function backupDesired(
  parts: ProtectionParts,
  tx: Tx,
  device: AgentDevice,
): Promise<BackupDesired | null> {
  const { keys, clock } = parts.platform;
  const protection = await readDeviceProtection(tx, device.deviceId, keys.wrapper);
  if (protection === undefined || protection.sources.length === 0) return null;
  const plan = protection.planId === null ? undefined : await readPlan(tx, protection.planId);
  const repository = await primaryRepository(tx, keys.wrapper, device.deviceId);
  if (repository?.state !== "ready") return null;
  const credential = await agentCredential(tx, keys.wrapper, repository, clock.now());
  return {
    repositoryPath: restPath(repository.id),
    username: credential.username,
    password: credential.password,
    repositoryPassword: repository.password,
    sources: protection.sources,
    everyMinutes: plan?.rpoMinutes ?? null,
    // The plan's cap is for the line between the sites; the agent is on the same one as its server.
    bandwidthCapBytesPerSecond: null,
  };
}
