/** A child process that cannot outlive us, and its last words. */

import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { systemCodeOf } from "@mainstay/kit";
import { qemuErrors } from "./errors.ts";

const LAST_WORDS_CHARS_MAX = 4_000;
/** USER_HZ, which is 100 on every Linux that Debian builds. */
const TICKS_PER_SECOND = 100;

export type Exit = {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lastWords: string;
};

export type MachineProcess = {
  readonly pid: number;
  /** Resolves once, when the process is gone. Never rejects. */
  readonly exited: Promise<Exit>;
  /** The exit, if it is already known. */
  exit(): Exit | undefined;
  /** SIGKILL; resolves when gone. May be called twice. */
  kill(): Promise<void>;
};

/** What the process costs its host. */
export type ProcessUse = { readonly cpuSeconds: number; readonly memoryBytes: number };

/**
 * The command under `setpriv --pdeathsig`, so that the kernel kills it when the thread that started it ends, however it
 * ends. Start machines from the main thread: a worker's end would take its machines with it.
 */
export function dyingWithUs(program: string, args: readonly string[]): readonly [string, ...string[]] {
  return ["setpriv", "--pdeathsig", "KILL", "--", program, ...args];
}

export function startProcess(
  program: string,
  args: readonly string[],
  directory: string,
): Promise<MachineProcess> {
  const [first, ...rest] = dyingWithUs(program, args);
  const child = spawn(first, rest, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(notInstalled(first, cause)));
    child.once("spawn", () => resolve(watch(child)));
  });
}

function watch(child: ChildProcess): MachineProcess {
  let lastWords = "";
  let gone: Exit | undefined;
  child.stderr?.on("data", (bytes: Buffer) => {
    lastWords = (lastWords + bytes.toString("utf8")).slice(-LAST_WORDS_CHARS_MAX);
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (status, signal) => {
      gone = { status, signal, lastWords: lastWords.trim() };
      resolve(gone);
    });
  });
  return {
    pid: child.pid ?? 0,
    exited,
    exit: () => gone,
    kill: async () => {
      if (gone === undefined) child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Reads /proc (proc(5)). Rejects with `qemu.exited` when the process is gone. */
export async function readProcessUse(pid: number): Promise<ProcessUse> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    // The second field is the program's name in parentheses and may hold spaces: fields count from after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryBytes: Number(resident?.[1] ?? 0) * 1024 };
  } catch (cause) {
    throw qemuErrors.error("exited", `Cannot measure machine process ${pid}: it has ended`, { cause });
  }
}

function notInstalled(program: string, cause: unknown): Error {
  if (systemCodeOf(cause) !== "ENOENT")
    return qemuErrors.error("start-failed", `Cannot start ${program}: the system refused`, { cause });
  const message = `Cannot start ${program}: it is not installed; run "apt-get install util-linux qemu-system-x86"`;
  return qemuErrors.error("not-installed", message, { cause });
}
