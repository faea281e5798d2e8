/** Runs the programs of the build so that none of them, and no mount of theirs, outlives us. */

import { spawn } from "node:child_process";
import { sampleErrors } from "./errors.ts";
import { SEARCH_PATH } from "./required-packages.ts";

export type ProgramOptions = {
  readonly input?: string | Uint8Array | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Of what a program says on its error output, so much is kept for the message when it fails. */
const COMPLAINT_CHARACTERS_MAX = 4000;

/** What a program may answer; the largest is a kernel, taken out of its wrapping. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** The machine's own settings that a program may see: how to reach the package sources, and nothing else. */
const PASSED_ON = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/**
 * Runs `[program, ...arguments]` to its end and gives its output. Rejects with `samples.step-failed` naming `purpose`, or with the
 * signal's reason.
 */
export async function run(
  purpose: string,
  [program, ...args]: readonly [string, ...string[]],
  options: ProgramOptions = {},
): Promise<Buffer> {
  options.signal?.throwIfAborted();
  const ended = Promise.withResolvers<Ending>();
  const child = spawn(program, args, { env: environmentOf(options), stdio: ["pipe", "pipe", "pipe"] });
  const answer: Buffer[] = [];
  let answerBytes = 0;
  let complaint = "";
  child.stdout.on("data", (bytes: Buffer) => {
    answerBytes += bytes.length;
    if (answerBytes <= ANSWER_BYTES_MAX) answer.push(bytes);
    else child.kill("SIGKILL");
  });
  child.stderr.on("data", (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-COMPLAINT_CHARACTERS_MAX);
  });
  // A program that ends without reading its input is judged by its exit code, not by our broken pipe.
  child.stdin.on("error", () => {});
  child.on("error", (cause) => ended.resolve({ state: "not-started", cause }));
  child.on("close", (code, signal) => ended.resolve({ state: "ended", how: signal ?? code ?? "unknown" }));
  const stop = (): void => void child.kill("SIGKILL");
  options.signal?.addEventListener("abort", stop, { once: true });
  child.stdin.end(options.input);
  const ending = await ended.promise;
  options.signal?.removeEventListener("abort", stop);
  options.signal?.throwIfAborted();
  if (ending.state === "ended" && ending.how === 0) return Buffer.concat(answer);
  throw failure(purpose, program, ending, complaint);
}

/**
 * The same for a shell script that mounts, or starts servers: it has mounts and process numbers of its own, and when it ends,
 * or we do, in any way, the kernel takes down everything it left.
 */
export async function runContained(
  purpose: string,
  script: string,
  options: ProgramOptions = {},
): Promise<Buffer> {
  const contained = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", script];
  return run(purpose, ["setpriv", "--pdeathsig", "KILL", ...contained], options);
}

type Ending =
  | { readonly state: "not-started"; readonly cause: Error }
  | { readonly state: "ended"; readonly how: number | string };

function failure(purpose: string, program: string, ending: Ending, complaint: string): Error {
  const found = ending.state === "ended" ? `its end with ${ending.how}` : ending.cause.message;
  return sampleErrors.error(
    "step-failed",
    `Cannot ${purpose}: found ${found}, wanted "${program}" to end with 0; it said: ${complaint.trim() || "nothing"}`,
    { cause: ending.state === "not-started" ? ending.cause : undefined, values: { program, complaint } },
  );
}

function environmentOf(options: ProgramOptions): NodeJS.ProcessEnv {
  const passed = PASSED_ON.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return {
    ...Object.fromEntries(passed),
    PATH: SEARCH_PATH,
    LC_ALL: "C.UTF-8",
    HOME: "/root",
    ...options.environment,
  };
}
