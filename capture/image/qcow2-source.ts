/** A qcow2 file that no machine has open, read through `qemu-nbd`. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@mainstay/kit";
import { connectNbd } from "@mainstay/nbd";
import { captureErrors } from "../errors.ts";
import type { CaptureOptions } from "./image-capture.ts";
import type { ImageSource } from "./image-source.ts";
import { wholeNbdSource } from "./nbd-source.ts";

const START_TIMEOUT_MS = 15_000;
const POLL_MS = 20;

/** Errors: `capture.source-missing`, `capture.reader-failed` (not qcow2, in use, or `qemu-nbd` is missing). */
export async function openQcow2Source(path: string, options: CaptureOptions): Promise<ImageSource> {
  await access(path).catch((cause: unknown) => {
    throw captureErrors.error(
      "source-missing",
      `Cannot back up ${path}: ${messageOf(cause)}; correct the path`,
      { cause },
    );
  });
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(options.workDirectory, "qcow2-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const socket = join(folder, "nbd.sock");
  const server = startServer(path, socket);
  stack.defer(() => endServer(server.process));
  await waitUntilServed(path, socket, server, options.signal);
  const client = stack.use(
    await connectNbd({ path: socket, signal: options.signal ?? new AbortController().signal }),
  );
  const source = await wholeNbdSource(client);
  const held = stack.move();
  return { ...source, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

type Server = { readonly process: ChildProcess; errorText: string; failure: unknown };

function startServer(path: string, socket: string): Server {
  const child = spawn(
    "qemu-nbd",
    ["--read-only", "--format=qcow2", "--persistent", "--shared=4", `--socket=${socket}`, path],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const server: Server = { process: child, errorText: "", failure: undefined };
  child.stderr?.on("data", (text: Buffer) => {
    server.errorText = (server.errorText + text.toString("utf8")).slice(-2000);
  });
  child.on("error", (cause) => {
    server.failure = cause;
  });
  return server;
}

async function waitUntilServed(
  path: string,
  socket: string,
  server: Server,
  signal?: AbortSignal,
): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs && server.failure === undefined && server.process.exitCode === null) {
    const isThere = await access(socket).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    await sleep(POLL_MS, undefined, { signal });
  }
  const why =
    server.errorText.trim() ||
    (server.failure === undefined ? "it did not start in time" : messageOf(server.failure));
  throw captureErrors.error(
    "reader-failed",
    `Cannot read ${path} as qcow2: ${why}; end the program that has it open, or install qemu-utils`,
    { cause: server.failure, values: { path } },
  );
}

async function endServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.pid === undefined) return;
  const ended = once(server, "exit");
  server.kill("SIGTERM");
  await ended;
}
