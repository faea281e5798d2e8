/** The guest agent (qemu-guest-agent) over its virtio channel: all it says comes from the guest and is hostile. */

import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { MIB, limiter, messageOf } from "@mainstay/kit";
import { settleWithin, type Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import { agentResetByte, jsonLines } from "./json-lines.ts";
import { asNumber, asRecord, isRecord, numberOr, textOr, type JsonRecord } from "./json-shape.ts";

/** The agent itself caps the output of a command at 16 MiB, which base64 lengthens by a third. */
const MESSAGE_BYTES_MAX = 24 * MIB;
const ANSWER_TIMEOUT_MS = 10_000;
const COMMAND_TIMEOUT_MS = 60_000;
const POLL_PAUSE_MS = 50;
const SYNC_PAUSE_MS = 500;
const OUTPUT_CHARS_MAX = 64 * 1024;

export type GuestCommandResult = {
  readonly exitCode: number;
  readonly output: string;
  readonly errorOutput: string;
};

export type GuestAgent = {
  /** Resolves when the agent answers; tries until then. */
  ping(waiting?: Waiting): Promise<void>;
  /** The agent's version and the commands it allows. */
  info(waiting?: Waiting): Promise<{ readonly version: string; readonly commands: readonly string[] }>;
  /** Runs a program inside the guest and waits for its end; outputs are cut at 64 Ki characters. */
  run(path: string, args: readonly string[], waiting?: Waiting): Promise<GuestCommandResult>;
  /** Flushes and freezes the guest's file systems; how many. They must be thawed within seconds. */
  freeze(waiting?: Waiting): Promise<number>;
  thaw(waiting?: Waiting): Promise<number>;
  /** Any other command of the agent. Commands run one at a time. */
  execute(command: string, args?: JsonRecord, waiting?: Waiting): Promise<unknown>;
  close(): void;
};

type Channel = {
  request(
    message: JsonRecord,
    isAnswer: (answer: JsonRecord) => boolean,
    waiting: Waiting,
    reset?: boolean,
  ): Promise<JsonRecord>;
};

export function guestAgentOver(socket: Socket): GuestAgent {
  const channel = openChannel(socket);
  // The protocol has no ids: a second command in flight would take the first one's answer.
  const oneAtATime = limiter(1);
  let inStep = false;

  const synchronise = async (waiting: Waiting): Promise<void> => {
    const id = Math.floor(Math.random() * 2 ** 31);
    const message = { execute: "guest-sync-delimited", arguments: { id } };
    await channel.request(message, (answer) => answer["return"] === id, waiting, true);
    inStep = true;
  };
  const execute = (command: string, args: JsonRecord = {}, waiting: Waiting = {}): Promise<unknown> =>
    oneAtATime.run(async () => {
      const limits = { timeoutMs: waiting.timeoutMs ?? ANSWER_TIMEOUT_MS, signal: waiting.signal };
      if (!inStep) await synchronise(limits);
      inStep = false;
      const answer = await channel.request({ execute: command, arguments: args }, () => true, limits);
      inStep = true;
      return resultOf(command, answer);
    });
  const ping = async (waiting: Waiting = {}): Promise<void> => {
    const deadline = performance.now() + (waiting.timeoutMs ?? COMMAND_TIMEOUT_MS);
    for (;;) {
      try {
        await execute("guest-ping", {}, { timeoutMs: SYNC_PAUSE_MS, signal: waiting.signal });
        return;
      } catch (cause) {
        if (!qemuErrors.is(cause, "timed-out") || performance.now() > deadline) throw cause;
      }
    }
  };
  return {
    execute,
    ping,
    info: async (waiting) => infoOf(await execute("guest-info", {}, waiting)),
    run: (path, args, waiting = {}) => runInGuest(execute, path, args, waiting),
    freeze: async (waiting) =>
      asNumber(await execute("guest-fsfreeze-freeze", {}, waiting), "the count of frozen file systems"),
    thaw: async (waiting) =>
      asNumber(await execute("guest-fsfreeze-thaw", {}, waiting), "the count of thawed file systems"),
    close: () => void socket.destroy(),
  };
}

function openChannel(socket: Socket): Channel {
  let take: ((answer: JsonRecord) => void) | undefined;
  let failed: Error | undefined;
  let fail: ((cause: Error) => void) | undefined;
  const lines = jsonLines("the guest agent", MESSAGE_BYTES_MAX, (message) => take?.(message));
  const end = (cause: Error): void => {
    failed ??= cause;
    fail?.(failed);
    socket.destroy();
  };
  socket.on("data", (bytes: Buffer) => {
    try {
      lines.push(bytes);
    } catch (cause) {
      end(cause instanceof Error ? cause : new Error(messageOf(cause)));
    }
  });
  socket.on("error", () => {});
  socket.on("close", () =>
    end(qemuErrors.error("closed", "Cannot go on with the guest agent: the machine is gone")),
  );
  return {
    request: (message, isAnswer, waiting, reset = false) =>
      settleWithin<JsonRecord>(
        `get an answer of the guest agent to ${String(message["execute"])}`,
        waiting.timeoutMs ?? ANSWER_TIMEOUT_MS,
        waiting.signal,
        (resolve, reject) => {
          if (failed !== undefined) throw failed;
          take = (answer) => (isAnswer(answer) ? resolve(answer) : undefined);
          fail = reject;
          if (reset) socket.write(agentResetByte);
          socket.write(`${JSON.stringify(message)}\n`);
          return () => {
            take = undefined;
            fail = undefined;
          };
        },
      ),
  };
}

function resultOf(command: string, answer: JsonRecord): unknown {
  const failed = answer["error"];
  if (!isRecord(failed)) return answer["return"];
  const description = textOr(failed["desc"], "no description").slice(0, 300);
  throw qemuErrors.error(
    "agent-failed",
    `Cannot run ${command} in the guest: its agent says "${description}"`,
    { values: { command, description } },
  );
}

function infoOf(answer: unknown): { readonly version: string; readonly commands: readonly string[] } {
  const record = asRecord(answer, "the guest agent's information");
  const listed: readonly unknown[] = Array.isArray(record["supported_commands"])
    ? record["supported_commands"]
    : [];
  const enabled = listed.filter((entry) => isRecord(entry)).filter((entry) => entry["enabled"] === true);
  return {
    version: textOr(record["version"], "unknown").slice(0, 40),
    commands: enabled.map((entry) => textOr(entry["name"], "")),
  };
}

async function runInGuest(
  execute: GuestAgent["execute"],
  path: string,
  args: readonly string[],
  waiting: Waiting,
): Promise<GuestCommandResult> {
  const deadline = performance.now() + (waiting.timeoutMs ?? COMMAND_TIMEOUT_MS);
  const limits = { signal: waiting.signal };
  const started = asRecord(
    await execute("guest-exec", { path, arg: args, "capture-output": true }, limits),
    "the started command",
  );
  const pid = asNumber(started["pid"], "the command's process id");
  for (;;) {
    const status = asRecord(await execute("guest-exec-status", { pid }, limits), "the command's state");
    if (status["exited"] === true) return commandResult(status);
    if (performance.now() > deadline)
      throw qemuErrors.error("timed-out", `Cannot wait for ${path} in the guest: it still runs`);
    await sleep(POLL_PAUSE_MS, undefined, { signal: waiting.signal });
  }
}

function commandResult(status: JsonRecord): GuestCommandResult {
  const text = (value: unknown): string =>
    Buffer.from(textOr(value, ""), "base64").toString("utf8").slice(0, OUTPUT_CHARS_MAX);
  // A command that a signal ended has no exit code; shells tell it as 128 + the signal.
  const exitCode = numberOr(status["exitcode"], 128 + numberOr(status["signal"], 0));
  return { exitCode, output: text(status["out-data"]), errorOutput: text(status["err-data"]) };
}
