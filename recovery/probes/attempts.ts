/** One attempt at each kind of probe. An attempt throws for "not yet" and returns what was answered. */

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { KIB, unreachable } from "@mainstay/kit";
import type { GuestAgent } from "@mainstay/qemu";
import { recogniseText } from "../screen/screen.ts";
import type { GuestProbe, HttpProbe, ProbeSpec, ScreenProbe, SqlProbe, TcpProbe } from "./probe-spec.ts";
import { isServerAnswer, querySql } from "./sql-drivers.ts";

const OPEN_TIMEOUT_MS = 2_000;
const CONFIRM_PAUSE_MS = 40;
const ANSWER_TIMEOUT_MS = 20_000;
const BANNER_BYTES_MAX = 4 * KIB;
const BODY_BYTES_MAX = 256 * KIB;

export type ProbeContext = {
  readonly host: string;
  /** The port of `host` that leads to the guest's; `undefined` if none does. */
  hostPort(guestPort: number): number | undefined;
  /**
   * Whether the guest itself took the connection that comes from this port of ours. Needed where something between
   * (QEMU's own network) accepts before the guest does; without it a connection counts as soon as it is open.
   */
  confirmConnection?(clientPort: number): Promise<boolean>;
  screenshot?(signal: AbortSignal): Promise<Uint8Array>;
  readonly guestAgent?: GuestAgent | undefined;
  /** Called at the first answer of the service, right or wrong. */
  onService?(): void;
};

/** `final`: asking again would give the same. */
export type Attempt = {
  readonly matches: boolean;
  readonly answer: string;
  readonly wanted: string;
  readonly final?: boolean;
};

export function attempt(spec: ProbeSpec, context: ProbeContext, signal: AbortSignal): Promise<Attempt> {
  switch (spec.kind) {
    case "tcp":
      return attemptTcp(spec, context, signal);
    case "http":
    case "https":
      return attemptHttp(spec, context, signal);
    case "sql":
      return attemptSql(spec, context, signal);
    case "screen":
      return attemptScreen(spec, context, signal);
    case "guest":
      return attemptGuest(spec, context, signal);
    default:
      return unreachable(spec);
  }
}

async function attemptTcp(spec: TcpProbe, context: ProbeContext, signal: AbortSignal): Promise<Attempt> {
  const socket = await openPort(spec.port, context, signal);
  try {
    context.onService?.();
    if (spec.text === undefined) return { matches: true, answer: "connected", wanted: "a connection" };
    const banner = await readBanner(socket, spec.text, signal);
    return { matches: banner.includes(spec.text), answer: banner, wanted: `"${spec.text}"` };
  } finally {
    socket.destroy();
  }
}

/** Short attempts: a packet sent before the guest's network is up is repeated only after seconds, a new one at once. */
async function openPort(guestPort: number, context: ProbeContext, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: context.host, port: forwardedPort(guestPort, context) });
  const deadline = performance.now() + OPEN_TIMEOUT_MS;
  try {
    await opened(socket, AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]));
    while (
      context.confirmConnection !== undefined &&
      !(await context.confirmConnection(socket.localPort ?? 0))
    ) {
      if (socket.destroyed || socket.readableEnded)
        throw new Error(`port ${guestPort} refused the connection`);
      if (performance.now() > deadline) throw new Error(`port ${guestPort} did not answer`);
      await sleep(CONFIRM_PAUSE_MS, undefined, { signal });
    }
    return socket;
  } catch (cause) {
    socket.destroy();
    throw cause;
  }
}

function opened(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error("no connection in time"));
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", resolve);
    // Stays on: a later loss of the connection shows in `destroyed`.
    socket.on("error", reject);
    // Without a reader, the end of the connection would never be noticed.
    if (!signal.aborted) socket.on("close", () => signal.removeEventListener("abort", abort));
    else abort();
  });
}

function forwardedPort(guestPort: number, context: ProbeContext): number {
  const port = context.hostPort(guestPort);
  if (port === undefined) throw new Error(`port ${guestPort} of the machine is not forwarded`);
  return port;
}

async function readBanner(socket: Socket, text: string, signal: AbortSignal): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  let banner = "";
  return new Promise((resolve) => {
    const finish = (): void => resolve(banner);
    limit.addEventListener("abort", finish, { once: true });
    socket.on("close", finish);
    socket.on("data", (bytes: Buffer) => {
      banner = (banner + bytes.toString("latin1")).slice(0, BANNER_BYTES_MAX);
      if (banner.includes(text) || banner.length >= BANNER_BYTES_MAX) finish();
    });
  });
}

async function attemptHttp(spec: HttpProbe, context: ProbeContext, signal: AbortSignal): Promise<Attempt> {
  (await openPort(spec.port, context, signal)).destroy();
  const { status, body } = await fetchBody(spec, context, signal);
  context.onService?.();
  const matches = status === spec.status && (spec.text === undefined || body.includes(spec.text));
  const wanted = `${spec.status}${spec.text === undefined ? "" : ` with "${spec.text}"`}`;
  return { matches, answer: `${status} ${body}`, wanted };
}

function fetchBody(
  spec: HttpProbe,
  context: ProbeContext,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const port = forwardedPort(spec.port, context);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  const shared = {
    host: context.host,
    port,
    path: spec.path,
    headers: { host: "localhost", connection: "close" },
    signal: limit,
  };
  return new Promise((resolve, reject) => {
    // A recovered machine's certificate is for its own name, which we do not use, and may have lapsed since.
    const request =
      spec.kind === "https" ? httpsRequest({ ...shared, rejectUnauthorized: false }) : httpRequest(shared);
    request.once("error", reject);
    request.once("response", (response) => {
      let body = "";
      const finish = (): void => resolve({ status: response.statusCode ?? 0, body });
      response.on("data", (bytes: Buffer) => {
        body += bytes.toString("utf8");
        if (body.length >= BODY_BYTES_MAX) {
          finish();
          request.destroy();
        }
      });
      response.once("end", finish);
      response.once("error", reject);
    });
    request.end();
  });
}

async function attemptSql(spec: SqlProbe, context: ProbeContext, signal: AbortSignal): Promise<Attempt> {
  (await openPort(spec.port, context, signal)).destroy();
  try {
    const rows = await querySql(spec, {
      host: context.host,
      port: forwardedPort(spec.port, context),
      connectTimeoutMs: ANSWER_TIMEOUT_MS,
      queryTimeoutMs: spec.timeoutMs,
    });
    context.onService?.();
    const answer = rows.map((row) => row.join("|")).join("\n");
    const matches = spec.expect === undefined || answer === spec.expect;
    // A database that answers has finished its own recovery: other rows are the wrong rows.
    return { matches, answer, wanted: spec.expect ?? "any answer", final: true };
  } catch (cause) {
    if (isServerAnswer(cause)) context.onService?.();
    throw cause;
  }
}

async function attemptScreen(
  spec: ScreenProbe,
  context: ProbeContext,
  signal: AbortSignal,
): Promise<Attempt> {
  if (context.screenshot === undefined) throw new Error("the machine has no screen");
  const text = await recogniseText(await context.screenshot(signal), signal);
  return { matches: new RegExp(spec.pattern, "i").test(text), answer: text, wanted: `/${spec.pattern}/` };
}

async function attemptGuest(spec: GuestProbe, context: ProbeContext, signal: AbortSignal): Promise<Attempt> {
  if (context.guestAgent === undefined) throw new Error("the machine has no channel to a guest agent");
  await context.guestAgent.ping({ timeoutMs: ANSWER_TIMEOUT_MS, signal });
  context.onService?.();
  const { exitCode, output, errorOutput } = await context.guestAgent.run(spec.path, spec.args, {
    timeoutMs: ANSWER_TIMEOUT_MS,
    signal,
  });
  const matches = exitCode === spec.exitCode && (spec.text === undefined || output.includes(spec.text));
  return {
    matches,
    answer: `${exitCode} ${output}${errorOutput}`,
    wanted: `${spec.exitCode}${spec.text === undefined ? "" : ` with "${spec.text}"`}`,
  };
}
