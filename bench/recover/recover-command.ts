/** `mainstay recover`, started as a person would, with the moment at which it tells of each stage. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "@mainstay/kit";
import { stages, type Stage } from "@mainstay/recovery";

export type RecoverRequest = {
  readonly repository: string;
  readonly environment: Readonly<Record<string, string>>;
  /** As `--probe` takes them; without any, `until` says when it is over. */
  readonly probes: readonly string[];
  /** The command is interrupted once it reached this. */
  readonly until: Stage;
};

/** Seconds since the command was started, the start of the launcher, of Node and of the program within. */
export type StageSeconds = Partial<Record<Stage, number>>;

const LAUNCHER = join(import.meta.dirname, "../../mainstay");
const TIMEOUT_MS = 600_000;

/** Rejects, with what the command said, if it ends before the stage. */
export async function recover(request: RecoverRequest): Promise<StageSeconds> {
  const probes = request.probes.flatMap((probe) => ["--probe", probe]);
  const words = ["recover", "latest", "--repo", request.repository, "--once", ...probes];
  const startMs = systemClock.monotonicMs();
  const child = spawn(LAUNCHER, words, {
    env: { ...process.env, ...request.environment },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: TIMEOUT_MS,
  });
  const ended = once(child, "close");
  const reached: StageSeconds = {};
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    const stage = stages.find((name) => line.endsWith(`  ${name}`));
    if (stage === undefined) continue;
    reached[stage] = (systemClock.monotonicMs() - startMs) / 1000;
    if (stage === request.until) child.kill("SIGINT");
  }
  await ended;
  if (reached[request.until] !== undefined) return reached;
  throw new Error(`Cannot measure the recovery: found no stage "${request.until}" in: ${said.join("\n")}`);
}
