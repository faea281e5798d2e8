/** Verification of a device's repository: is everything there, and is every byte what it should be. */

import type { RunResult } from "@mainstay/contract";
import { checkRepository, type Finding, listSnapshots } from "@mainstay/vault";
import { announce } from "../announce.ts";
import { protectionErrors } from "../errors.ts";
import { type ProtectionParts, vaultFolder } from "../parts.ts";
import { markDamaged } from "../points/point-store.ts";
import type { RunJob } from "../runs/server-runs.ts";
import { openLocalRepository, repositoryFolder } from "./local-repository.ts";
import { noteVerified, primaryRepository } from "./repository-store.ts";

/** Reads all packs. Points that cannot be restored whole are marked as damaged, and are never shown as good again. */
export async function verifyDevice(
  parts: ProtectionParts,
  job: RunJob,
  signal: AbortSignal,
): Promise<RunResult> {
  const { database, keys, clock } = parts.platform;
  const stored = await database.asSystem("find repository", (tx) =>
    primaryRepository(tx, keys.wrapper, job.deviceId),
  );
  if (stored?.state !== "ready")
    throw protectionErrors.error(
      "point-missing",
      "Cannot verify: the device has no repository yet; back it up first",
    );
  await using repository = await openLocalRepository(
    repositoryFolder(vaultFolder(parts), stored.id),
    stored.password,
  );
  const startMs = clock.monotonicMs();
  const report = await checkRepository(repository, {
    readData: true,
    signal,
    onProgress: ({ phase, doneBytes, totalBytes }) => {
      const bytesPerSecond = (doneBytes * 1000) / Math.max(1, clock.monotonicMs() - startMs);
      const remainingMs = bytesPerSecond > 0 ? ((totalBytes - doneBytes) * 1000) / bytesPerSecond : null;
      parts.progress.tell(job, {
        phase: `checking ${phase}`,
        doneBytes,
        totalBytes,
        bytesPerSecond,
        remainingMs,
      });
    },
  });
  const all = (await listSnapshots(repository, signal).catch(() => [])).map(({ id }) => id as string);
  const damaged = damagedPoints(report.findings, all);
  await database.asSystem("note verification", async (tx) => {
    await markDamaged(tx, damaged);
    await noteVerified(tx, stored.id, clock.now());
    for (const subjectId of damaged) {
      const { customerId, deviceId } = job;
      await announce(parts, tx, "restore-point.changed", { customerId, deviceId, subjectId });
    }
  });
  return { kind: "verification", readBytes: report.readBytes, damagedPoints: damaged.length };
}

/** An error that does not say which points it touches may touch all. */
export function damagedPoints(findings: readonly Finding[], all: readonly string[]): readonly string[] {
  const errors = findings.filter((finding) => finding.severity === "error");
  return [...new Set(errors.flatMap((finding) => finding.points ?? all))];
}
