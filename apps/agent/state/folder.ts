/** The agent's data folder: which files there are, and that one agent alone uses them. */

import { createHash } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { deviceId, key32, runId, workId } from "@mainstay/contract";
import { desiredState, work } from "@mainstay/contract";
import * as z from "zod";
import { agentErrors } from "../errors.ts";
import { unwritable } from "./durable-file.ts";
import { type DeviceKey, loadDeviceKey } from "./device-key.ts";
import { jsonFile } from "./json-file.ts";

/** Where the device belongs; written once, at enrolment. */
const enrolmentSchema = z.strictObject({
  deviceId,
  name: z.string(),
  /** `https://host:port`. */
  address: z.url(),
  /** The server's Ed25519 identity, base64url: the only thing trusted of it. */
  identity: key32,
});
export type Enrolment = z.output<typeof enrolmentSchema>;

/** The run that is going on; found at the start, it was interrupted. */
const runJournalSchema = z.strictObject({ runId, workId: workId.nullable(), startedAt: z.iso.datetime() });
export type RunJournal = z.output<typeof runJournalSchema>;

/** What the next due time is worked out from. */
const backupHistorySchema = z.strictObject({
  lastSucceededAt: z.iso.datetime().nullable(),
  lastAttempt: z
    .strictObject({ startedAt: z.iso.datetime(), failedInARow: z.int().nonnegative() })
    .nullable(),
});
export type BackupHistory = z.output<typeof backupHistorySchema>;

const workQueueSchema = z.strictObject({
  waiting: z.array(work).max(1000),
  /** Dedupe keys of what is done, oldest first. */
  done: z.array(z.string()).max(1000),
});
export type WorkQueueState = z.output<typeof workQueueSchema>;

/** Opens the folder's files; makes the folder and the device key if they are not there. */
export async function openFolder(folder: string) {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  const key: DeviceKey = await loadDeviceKey(path.join(folder, "device-key.pem"));
  return {
    folder,
    key,
    enrolment: jsonFile(path.join(folder, "device.json"), enrolmentSchema),
    desired: jsonFile(path.join(folder, "desired-state.sealed"), desiredState, key.seal),
    workQueue: jsonFile(path.join(folder, "work.json"), workQueueSchema),
    runJournal: jsonFile(path.join(folder, "run.json"), runJournalSchema),
    backupHistory: jsonFile(path.join(folder, "backup-history.json"), backupHistorySchema),
    outboxFile: path.join(folder, "outbox"),
  } as const;
}
export type Folder = Awaited<ReturnType<typeof openFolder>>;

/**
 * Holds the folder for this process until disposed, or until the process ends in any way: two agents on one outbox
 * would number records twice. An abstract socket, since a file would outlive a kill.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const name = createHash("sha256")
    .update(await realpath(folder))
    .digest("hex")
    .slice(0, 32);
  const address =
    process.platform === "win32" ? `\\\\.\\pipe\\mainstay-agent-${name}` : `\0mainstay-agent-${name}`;
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (cause) =>
      reject(
        agentErrors.error(
          "already-running",
          `Cannot use the data folder "${folder}": another agent runs on it; stop that one first`,
          { cause, values: { folder } },
        ),
      ),
    );
    server.listen(address);
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
