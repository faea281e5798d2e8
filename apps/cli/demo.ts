/** `mainstay demo`: the main job on a real server, from nothing to the signed proof. */

import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { formatBytes, formatDuration } from "@mainstay/kit";
import type { DemoReport } from "@mainstay/demo";
import { defineCommand } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { formatTable } from "./terminal/table.ts";
import type { Terminal } from "./terminal/terminal.ts";

const FOLDER_PATTERN = /^run-(?<pid>\d+)-/;
const PGBENCH_SECONDS_MAX = 3600;
const ENTER_ONLY = 0o711;

export const command = defineCommand({
  details:
    "Builds a server from Debian packages (a 70 GiB disk with PostgreSQL and real rows), protects it, changes its rows,\n" +
    "backs up what changed, takes it off-site, deletes the original, runs it out of the off-site vault, compares the\n" +
    "rows, tests it and signs the proof. On a terminal the console then stays open until Ctrl-C; elsewhere, or with\n" +
    "--once, it ends by itself. Everything it makes is removed, except the sample, which is kept for the next time.",
  options: {
    once: { about: "end when the work is done" },
    stay: { about: "keep the console running also without a terminal" },
    small: { about: "a small disk of 3 GiB, for a quick look" },
    pgbenchSeconds: { value: "N", default: "15", about: "how long rows are changed" },
  },
  json: "the steps with their seconds and bytes, and the rows before and after",
  examples: ["demo", "demo --small --once"],
  programs: [
    "qemu-system-x86_64",
    "qemu-img",
    "mmdebstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "mke2fs",
    "unshare",
    "cp",
    "tar",
    "zstd",
    "xz",
    "tesseract",
    "setpriv",
  ],
  run: async ({ options, terminal, signal }) => {
    const pgbenchSeconds = Number(options.pgbenchSeconds);
    if (!(pgbenchSeconds >= 1 && pgbenchSeconds <= PGBENCH_SECONDS_MAX)) {
      throw cliErrors.error(
        "usage",
        `Cannot run pgbench for "${options.pgbenchSeconds}" s: wanted 1 to ${PGBENCH_SECONDS_MAX}`,
      );
    }
    const { runDemo } = await import("@mainstay/demo");
    await using stack = new AsyncDisposableStack();
    const folder = await makeFolder();
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const startMs = performance.now();
    const variant = options.small ? "small" : "full";
    const say = (line: string): void => terminal.note(line);
    const report = stack.use(await runDemo({ folder, variant, pgbenchSeconds, say, signal }));
    print(report, performance.now() - startMs, terminal);
    const { steps, rowsBefore, rowsAfter, consoleAddress } = report;
    terminal.result({ steps, rowsBefore, rowsAfter, consoleAddress });
    if (options.stay || (terminal.isWatched && !options.once)) await showConsole(report, terminal, signal);
  },
});

function print({ steps, rowsBefore, rowsAfter }: DemoReport, durationMs: number, terminal: Terminal): void {
  terminal.print();
  const columns = [
    { heading: "WHAT HAPPENED", value: (step: (typeof steps)[number]) => step.what },
    {
      heading: "SECONDS",
      align: "right" as const,
      value: (step: (typeof steps)[number]) => (step.durationMs / 1000).toFixed(1),
    },
    {
      heading: "BYTES",
      align: "right" as const,
      value: (step: (typeof steps)[number]) => (step.bytes === undefined ? "" : formatBytes(step.bytes)),
    },
    { heading: "", value: (step: (typeof steps)[number]) => step.remark ?? "" },
  ];
  for (const line of formatTable(columns, steps)) terminal.print(line);
  terminal.print();
  for (const [index, { query, answer }] of rowsBefore.entries()) {
    terminal.print(`  ${query.length > 70 ? `${query.slice(0, 69)}…` : query}`);
    terminal.print(`    before ${answer}   after ${rowsAfter[index]?.answer}`);
  }
  terminal.print(`The rows are equal. All of it took ${formatDuration(durationMs)}.`);
}

async function showConsole(report: DemoReport, terminal: Terminal, signal: AbortSignal): Promise<void> {
  terminal.print();
  terminal.print(`The console is at ${report.consoleAddress}; sign in once with`);
  terminal.print(`  ${await report.signInLink()}`);
  terminal.print("(the certificate is this machine's own, so the browser will ask). Ctrl-C ends everything.");
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** A folder of this run; what a killed run left behind goes. */
async function makeFolder(): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  // As root, PostgreSQL runs as another user, who may not enter root's home.
  const parent = isRoot ? "/var/tmp/mainstay-demo" : join(homedir(), ".cache", "mainstay", "demo");
  await mkdir(parent, { recursive: true, mode: ENTER_ONLY });
  for (const name of await readdir(parent)) {
    const pid = FOLDER_PATTERN.exec(name)?.groups?.["pid"];
    if (pid !== undefined && !isRunning(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = await mkdtemp(join(parent, `run-${process.pid}-`));
  await chmod(folder, ENTER_ONLY);
  return folder;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
