/** Starting and ending the processes of a test: servers, agents, and whatever the command line runs. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import path from "node:path";
import { type Client, createClient, type Fetch } from "@mainstay/contract";
import { jarFetch } from "@mainstay/platform/testing";
import * as z from "zod";

const SERVE = path.join(import.meta.dirname, "serve.ts");
const CLI = path.join(import.meta.dirname, "../../apps/cli/main.ts");
const OWNER = { email: "owner@example.test", password: "correct horse battery staple", name: "Owner" };

export type TestProcess = {
  readonly child: ChildProcess;
  /** All that it wrote to standard error. */
  readonly errors: () => string;
  /** SIGKILL, without a chance to tidy up. */
  kill(): Promise<void>;
  stop(): Promise<void>;
};

export type ServerProcess = TestProcess & {
  readonly address: string;
  readonly setUpLink: string | undefined;
};

const announcement = z.object({ address: z.string(), setUpLink: z.string().optional() });

export async function serve(dataDirectory: string, name: string, port = 0): Promise<ServerProcess> {
  const process = start([SERVE, dataDirectory, String(port), name]);
  const line = await firstLine(process);
  const { address, setUpLink } = announcement.parse(JSON.parse(line));
  return { ...process, address, setUpLink };
}

/** A client, and the session cookie for what is no route. */
export type SignedIn = Client & { cookie(): string };

/** A browser with the first owner signed in. */
export async function setUp(server: ServerProcess): Promise<SignedIn> {
  let cookie = "";
  const jar = jarFetch();
  const fetch: Fetch = async (url, init) => {
    const answer = await jar(url, init);
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return answer;
  };
  const client = createClient({ fetch, baseUrl: server.address });
  const token = server.setUpLink?.split("#")[1] ?? "";
  await client.setUp.complete({ body: { token, providerName: "Provider", ...OWNER } });
  return { ...client, cookie: () => cookie };
}

/** `mainstay agent run`. */
export function runAgent(dataDirectory: string): TestProcess {
  return start([CLI, "agent", "run", "--data", dataDirectory]);
}

/** Runs `mainstay …` to its end. */
export async function mainstay(
  words: readonly string[],
): Promise<{ readonly status: number; readonly output: string }> {
  const { child, errors } = start([CLI, ...words]);
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [status] = await once(child, "close");
  return { status: Number(status), output: output + errors() };
}

/** Asks until the answer is there; fails with what was found last. */
export async function until<Value>(
  what: string,
  ask: () => Promise<Value | undefined | false>,
  timeoutMs = 40_000,
): Promise<Value> {
  const endMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < endMs) {
    const value = await ask().catch((cause: unknown) => {
      last = cause;
      return undefined;
    });
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`, { cause: last });
}

function start(words: readonly string[]): TestProcess {
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  return { child, errors: () => errors, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

async function firstLine({ child, errors }: TestProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the process has no output");
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error(`the server did not start: ${errors()}`);
}
