/** Keeps a second process from opening the same overlay: `PATH.lock` names the process that has it open. */

import { link, readFile, rm, writeFile } from "node:fs/promises";

import { systemCodeOf } from "@mainstay/kit";

import { overlayErrors } from "./errors.ts";

const ATTEMPTS_MAX = 3;
/** Makes the names of drafts different within this process. */
let drafts = 0;

/** Takes the lock; the result gives it back. A lock left by a process that is gone is taken over. */
export async function lockOwner(path: string): Promise<() => Promise<void>> {
  const lockPath = `${path}.lock`;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    if (await createLock(lockPath)) return () => rm(lockPath, { force: true });
    const owner = await readFile(lockPath, "utf8").catch(() => "");
    if (await isAlive(owner)) throw inUse(path, owner);
    await rm(lockPath, { force: true });
  }
  throw inUse(path, "");
}

/** Appears with its content in one step, so that nobody finds a lock without an owner and takes it for a dead one's. */
async function createLock(lockPath: string): Promise<boolean> {
  const draft = `${lockPath}.${process.pid}.${(drafts += 1)}`;
  await writeFile(draft, `${process.pid} ${await startOf(process.pid)}\n`, { mode: 0o600 });
  try {
    await link(draft, lockPath);
    return true;
  } catch (cause) {
    if (systemCodeOf(cause) === "EEXIST") return false;
    throw cause;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Process numbers come again after a restart, so the start time must fit too. */
async function isAlive(owner: string): Promise<boolean> {
  const [pid, start] = owner.trim().split(" ");
  return pid !== undefined && start !== undefined && start !== "" && (await startOf(Number(pid))) === start;
}

/** When a process started, in the kernel's ticks since boot with the boot's own id; empty if it is gone. */
async function startOf(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may hold anything, so count from its end: field 22 is the 20th after it.
  const ticks = status.slice(status.lastIndexOf(")") + 2).split(" ")[19];
  if (ticks === undefined || ticks === "") return "";
  return `${(await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()}:${ticks}`;
}

function inUse(path: string, owner: string): Error {
  const pid = owner.split(" ")[0] ?? "";
  const message = `Cannot open the overlay "${path}": found it open in process ${pid || "unknown"}, wanted it free; end that recovery first, or use another overlay path`;
  return overlayErrors.error("in-use", message, { values: { path, pid } });
}
