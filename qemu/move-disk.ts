/** Moving a running machine's disk to a plain file, while it runs: how a recovered machine becomes a normal one. */

import { open, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@mainstay/kit";
import type { Waiting } from "./deadline.ts";
import { findDisk } from "./dirty-bitmap.ts";
import { qemuErrors } from "./errors.ts";
import { asList, isRecord, numberOr, textOr, type JsonRecord } from "./json-shape.ts";
import type { Qmp } from "./qmp.ts";

const POLL_PAUSE_MS = 100;

export type MoveProgress = { readonly doneBytes: number; readonly totalBytes: number };
export type MoveOptions = Waiting & {
  /** Bytes a second; without it, as quick as it goes. */
  readonly rateMax?: number;
  readonly onProgress?: (progress: MoveProgress) => void;
};

/**
 * Copies disk `node` to a new raw file at `target` and lets the machine go on there; holes stay holes. Resolves with the
 * new node's name when the machine no longer needs the old disk. On failure or abort the machine stays on its old disk
 * and the file is removed. Rejects with `qemu.job-failed`, `qemu.disk-unknown`, `EEXIST` if the file is there already.
 */
export async function moveToDisk(
  qmp: Qmp,
  node: string,
  target: string,
  options: MoveOptions = {},
): Promise<string> {
  const disk = await findDisk(qmp, node, options);
  const handle = await open(target, "wx", 0o600);
  try {
    await handle.truncate(disk.sizeBytes);
  } finally {
    await handle.close();
  }
  const moved = `${node}-moved`;
  const job = `move-${node}`;
  try {
    await qmp.execute("blockdev-add", targetNode(moved, target), options);
    await qmp.execute(
      "blockdev-mirror",
      {
        "job-id": job,
        device: node,
        target: moved,
        sync: "full",
        speed: options.rateMax ?? 0,
        "auto-dismiss": false,
      },
      options,
    );
    await untilState(qmp, job, ["ready"], options);
    await qmp.execute("block-job-complete", { device: job }, options);
    await untilState(qmp, job, ["concluded"], options);
    await dismiss(qmp, job);
    // The old disk goes, so that its server can; it may be in use by an export that the caller must end first.
    await qmp.execute("blockdev-del", { "node-name": node }).catch(() => {});
    return moved;
  } catch (cause) {
    await stepBack(qmp, job, moved);
    await rm(target, { force: true });
    throw cause;
  }
}

function targetNode(name: string, filename: string): JsonRecord {
  // QEMU tells by `detect-zeroes` what the source could not tell as a hole, and leaves it one.
  return {
    driver: "raw",
    "node-name": name,
    discard: "unmap",
    "detect-zeroes": "unmap",
    file: { driver: "file", filename, discard: "unmap" },
  };
}

async function untilState(
  qmp: Qmp,
  job: string,
  wanted: readonly string[],
  options: MoveOptions,
): Promise<void> {
  for (;;) {
    options.signal?.throwIfAborted();
    const state = await jobState(qmp, job);
    if (state.error !== undefined)
      throw qemuErrors.error("job-failed", `Cannot move disk: QEMU says "${state.error}"`, {
        values: { job },
      });
    options.onProgress?.({ doneBytes: state.doneBytes, totalBytes: state.totalBytes });
    if (wanted.includes(state.status)) return;
    await sleep(POLL_PAUSE_MS, undefined, { signal: options.signal });
  }
}

type JobState = {
  readonly status: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly error: string | undefined;
};

async function jobState(qmp: Qmp, job: string): Promise<JobState> {
  const jobs = asList(await qmp.execute("query-jobs"), "the list of jobs").filter(isRecord);
  const found = jobs.find((one) => one["id"] === job);
  if (found === undefined) throw qemuErrors.error("job-failed", `Cannot move disk: job "${job}" is gone`);
  const error = typeof found["error"] === "string" ? found["error"] : undefined;
  return {
    status: textOr(found["status"], ""),
    doneBytes: numberOr(found["current-progress"], 0),
    totalBytes: numberOr(found["total-progress"], 0),
    error,
  };
}

async function dismiss(qmp: Qmp, job: string): Promise<void> {
  await qmp.execute("job-dismiss", { id: job });
}

/** Best effort, since the machine may be gone: what it leaves is a cancelled job and no target node. */
async function stepBack(qmp: Qmp, job: string, moved: string): Promise<void> {
  const steps: readonly (() => Promise<unknown>)[] = [
    () => qmp.execute("block-job-cancel", { device: job, force: true }),
    () => untilConcluded(qmp, job),
    () => dismiss(qmp, job),
    () => qmp.execute("blockdev-del", { "node-name": moved }),
  ];
  for (const step of steps) {
    await step().catch((cause: unknown) => {
      if (
        !qemuErrors.is(cause, "command-failed") &&
        !qemuErrors.is(cause, "closed") &&
        !qemuErrors.is(cause, "job-failed")
      ) {
        throw qemuErrors.error("job-failed", `Cannot undo the move of a disk: ${messageOf(cause)}`, {
          cause,
        });
      }
    });
  }
}

async function untilConcluded(qmp: Qmp, job: string): Promise<void> {
  for (;;) {
    if ((await jobState(qmp, job)).status === "concluded") return;
    await sleep(POLL_PAUSE_MS);
  }
}
