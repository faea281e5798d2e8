/** QEMU's machine protocol (docs/interop/qmp-spec in QEMU): commands with ids, typed failures, events. */

import type { Socket } from "node:net";
import { MIB, messageOf } from "@mainstay/kit";
import { connectSocket, type ConnectOptions } from "./connect-socket.ts";
import { settleWithin, type Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { jsonLines } from "./json-lines.ts";
import { asRecord, asText, isRecord, numberOr, textOr, type JsonRecord } from "./json-shape.ts";

/** A monitor of a machine with hundreds of nodes answers in well under this. */
const MESSAGE_BYTES_MAX = 16 * MIB;
const COMMANDS_WAITING_MAX = 256;
const EVENTS_HELD_MAX = 1024;
const COMMAND_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;

export type QmpEvent = { readonly name: string; readonly data: JsonRecord; readonly at: Date };

export type Qmp = {
  /** QEMU's own version, such as `7.2.22`. */
  readonly version: string;
  /** Sends a command; resolves with its `return`. Rejects with `qemu.command-failed`, `.timed-out`, `.closed`. May run beside others. */
  execute(command: string, args?: JsonRecord, waiting?: Waiting): Promise<unknown>;
  /** A command of the human monitor; its text. Only where the protocol has no command of its own. */
  human(commandLine: string, waiting?: Waiting): Promise<string>;
  /** Calls `listener` for every event from now on; the result ends it. */
  onEvent(listener: (event: QmpEvent) => void): () => void;
  /** The next event that `wanted` accepts. */
  waitForEvent(what: string, wanted: (event: QmpEvent) => boolean, waiting?: Waiting): Promise<QmpEvent>;
  /** Events from now on, until the connection or the signal ends. Drops the oldest when 1,024 are not taken. */
  events(signal?: AbortSignal): AsyncIterable<QmpEvent>;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  /** Ends the connection, not the machine. May be called twice. */
  close(): void;
};

type Pending = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: unknown) => void;
  readonly command: string;
};

/** Connects to a monitor and negotiates. QEMU serves one client per monitor: a second one waits for the greeting in vain. */
export async function connectQmp(path: string, options: Partial<ConnectOptions> = {}): Promise<Qmp> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const socket = await connectSocket(path, { ...options, timeoutMs });
  try {
    return await negotiate(socket, path, timeoutMs, options.signal);
  } catch (cause) {
    socket.destroy();
    throw cause;
  }
}

async function negotiate(
  socket: Socket,
  path: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Qmp> {
  const greeted = Promise.withResolvers<string>();
  greeted.promise.catch(() => {});
  const session = openSession(socket, path, greeted);
  const version = await settleWithin<string>(
    `get a greeting from monitor ${path}, which another client may hold`,
    timeoutMs,
    signal,
    (resolve, reject) => {
      greeted.promise.then(resolve, reject);
      return undefined;
    },
  );
  await session.execute("qmp_capabilities", {}, { timeoutMs, signal });
  return Object.freeze({ ...session, version });
}

/** The protocol's state: commands awaiting answers, listeners, and how it all ends. */
function openSession(
  socket: Socket,
  path: string,
  greeted: PromiseWithResolvers<string>,
): Omit<Qmp, "version"> {
  const pending = new Map<string, Pending>();
  const listeners = new Set<(event: QmpEvent) => void>();
  const ended = Promise.withResolvers<void>();
  let failure: Error | undefined;

  const end = (cause: Error): void => {
    if (failure !== undefined) return;
    failure = cause;
    for (const waiting of pending.values()) waiting.reject(cause);
    pending.clear();
    greeted.reject(cause);
    socket.destroy();
    ended.resolve();
  };
  const take = (message: JsonRecord): void => {
    if (isRecord(message["QMP"])) return greeted.resolve(versionOf(message["QMP"]));
    if (typeof message["event"] === "string") {
      const event = eventOf(message);
      for (const listener of listeners) listener(event);
      return;
    }
    settleAnswer(pending, message);
  };
  const lines = jsonLines(`monitor ${path}`, MESSAGE_BYTES_MAX, take);
  socket.on("data", (bytes: Buffer) => {
    try {
      lines.push(bytes);
    } catch (cause) {
      end(cause instanceof Error ? cause : new Error(messageOf(cause)));
    }
  });
  socket.on("error", (cause) => end(closedError(path, cause)));
  socket.on("close", () => end(closedError(path)));

  const execute = commandSender(socket, path, pending, () => failure);
  const onEvent = (listener: (event: QmpEvent) => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return {
    execute,
    human: async (commandLine, waiting) =>
      asText(
        await execute("human-monitor-command", { "command-line": commandLine }, waiting),
        `answer to ${commandLine}`,
      ),
    onEvent,
    waitForEvent: (what, wanted, waiting = {}) =>
      settleWithin<QmpEvent>(
        what,
        waiting.timeoutMs ?? COMMAND_TIMEOUT_MS,
        waiting.signal,
        (resolve, reject) => {
          if (failure !== undefined) throw failure;
          void ended.promise.then(() => reject(failure));
          return onEvent((event) => (wanted(event) ? resolve(event) : undefined));
        },
      ),
    events: (signal) => iterateEvents(onEvent, ended.promise, signal),
    closed: ended.promise,
    close: () => end(closedError(path)),
  };
}

/** Sends commands under ids of their own and leaves each in `pending` until its answer. */
function commandSender(
  socket: Socket,
  path: string,
  pending: Map<string, Pending>,
  failure: () => Error | undefined,
): Qmp["execute"] {
  let nextId = 1;
  return (command, args = {}, waiting = {}) =>
    settleWithin<unknown>(
      `run monitor command ${command}`,
      waiting.timeoutMs ?? COMMAND_TIMEOUT_MS,
      waiting.signal,
      (resolve, reject) => {
        const ended = failure();
        if (ended !== undefined) throw ended;
        if (pending.size >= COMMANDS_WAITING_MAX) throw tooManyCommands(path);
        const id = `m${nextId++}`;
        pending.set(id, { resolve, reject, command });
        socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
        return () => void pending.delete(id);
      },
    );
}

function settleAnswer(pending: Map<string, Pending>, message: JsonRecord): void {
  const waiting = pending.get(textOr(message["id"], ""));
  // An answer nobody waits for belongs to a command that was aborted or timed out.
  if (waiting === undefined) return;
  const failed = message["error"];
  if (!isRecord(failed)) return waiting.resolve(message["return"]);
  const description = textOr(failed["desc"], "no description");
  const values = { command: waiting.command, class: textOr(failed["class"], "GenericError"), description };
  waiting.reject(
    qemuErrors.error(
      "command-failed",
      `Cannot run monitor command ${waiting.command}: QEMU says "${description}"`,
      { values },
    ),
  );
}

async function* iterateEvents(
  onEvent: Qmp["onEvent"],
  closed: Promise<void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<QmpEvent, void> {
  const held: QmpEvent[] = [];
  let wake = Promise.withResolvers<void>();
  let over = signal?.aborted ?? false;
  const finish = (): void => {
    over = true;
    wake.resolve();
  };
  const stop = onEvent((event) => {
    held.push(event);
    if (held.length > EVENTS_HELD_MAX) held.shift();
    wake.resolve();
  });
  void closed.then(finish);
  signal?.addEventListener("abort", finish, { once: true });
  try {
    for (;;) {
      for (let event = held.shift(); event !== undefined; event = held.shift()) yield event;
      if (over) return;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    stop();
    signal?.removeEventListener("abort", finish);
  }
}

function versionOf(greeting: JsonRecord): string {
  const qemu = asRecord(asRecord(greeting["version"], "the monitor's version")["qemu"], "QEMU's version");
  return [qemu["major"], qemu["minor"], qemu["micro"]].map((part) => numberOr(part, 0)).join(".");
}

function eventOf(message: JsonRecord): QmpEvent {
  const timestamp = isRecord(message["timestamp"]) ? message["timestamp"] : {};
  const at = new Date(
    numberOr(timestamp["seconds"], 0) * 1000 + numberOr(timestamp["microseconds"], 0) / 1000,
  );
  return { name: textOr(message["event"], ""), data: isRecord(message["data"]) ? message["data"] : {}, at };
}

function closedError(path: string, cause?: unknown): Error {
  return qemuErrors.error("closed", `Cannot go on with monitor ${path}: the connection is closed`, {
    cause,
    values: { path },
  });
}

function tooManyCommands(path: string): Error {
  return qemuErrors.error(
    "protocol-broken",
    `Cannot send to monitor ${path}: ${COMMANDS_WAITING_MAX} commands are unanswered`,
  );
}
