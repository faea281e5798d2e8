/** Keeps one connection to the server, for as long as the agent runs. */

import { setTimeout as sleep } from "node:timers/promises";
import { AGENT_HEARTBEAT_MS, OUTBOX_WINDOW_MAX, type ServerMessage, type Work } from "@mainstay/contract";
import { messageOf, unreachable } from "@mainstay/kit";
import { type Channel, openChannel } from "../connection/channel.ts";
import { shakeHands } from "../connection/handshake.ts";
import { isFinal, LASTING_MS, reconnectPauseMs, SUPERSEDED_PAUSE_MS } from "../connection/reconnect.ts";
import { agentErrors } from "../errors.ts";
import { readFacts } from "../facts/facts.ts";
import type { AgentState, Surroundings } from "./agent-state.ts";

/** Facts are read anew, and told if they changed, after this many heartbeats. */
const FACTS_EVERY_BEATS = 240;

/** Resolves never; rejects when the signal aborts, or when the server refuses the device for good. */
export async function stayConnected(
  around: Surroundings,
  state: AgentState,
  signal: AbortSignal,
): Promise<never> {
  let failures = 0;
  for (;;) {
    const startedMs = around.clock.monotonicMs();
    const end = await talk(around, state, signal).catch((cause: unknown) => ({ cause }));
    signal.throwIfAborted();
    if ("cause" in end && isFinal(end.cause)) throw end.cause;
    const lasted = around.clock.monotonicMs() - startedMs >= LASTING_MS;
    failures = lasted ? 1 : failures + 1;
    const pauseMs = "superseded" in end ? SUPERSEDED_PAUSE_MS : reconnectPauseMs(failures, around.random());
    const message =
      "superseded" in end
        ? "Another agent proved this device's key; if it is not yours, archive the device and enrol it anew"
        : messageOf(end.cause);
    around.log("warning", message, { againInMs: Math.round(pauseMs) });
    await sleep(pauseMs, undefined, { signal });
  }
}

/** One connection, from opening it to its end. */
async function talk(
  around: Surroundings,
  state: AgentState,
  signal: AbortSignal,
): Promise<{ readonly superseded: true }> {
  const { enrolment, folder, outbox, version, clock, log } = around;
  const facts = await readFacts();
  const channel = await openChannel(enrolment.address, signal);
  try {
    const { identity, deviceId } = enrolment;
    const credentials = { key: folder.key, identity, deviceId, proof: { agentVersion: version, facts } };
    const welcome = await shakeHands(channel, credentials, clock.now());
    state.serverAheadMs = Date.parse(welcome.clock) - clock.now().getTime();
    state.standing = welcome.state;
    await outbox.acknowledge(welcome.acknowledged);
    log("info", "Connected", { address: enrolment.address, state: welcome.state });
    state.changed.ring();
    return await converse(around, state, channel, welcome.acknowledged, JSON.stringify(facts));
  } finally {
    state.sendLossy = () => undefined;
    channel.close();
  }
}

async function converse(
  around: Surroundings,
  state: AgentState,
  channel: Channel,
  acknowledged: number,
  factsTold: string,
): Promise<{ readonly superseded: true }> {
  const sender = createSender(around, channel, acknowledged);
  const stopBeats = sendHeartbeats(around, state, channel, factsTold);
  state.sendLossy = (message) => channel.send(message);
  try {
    sender.pump();
    for (;;) {
      const message = await channel.next();
      if (message.type === "superseded") return { superseded: true };
      if (message.type === "ack") await sender.acknowledge(message.sequence);
      else await follow(around, state, channel, message);
    }
  } finally {
    stopBeats();
    sender.stop();
  }
}

/** Sends the outbox in order, with a bounded number of records under way. */
function createSender({ outbox }: Surroundings, channel: Channel, from: number) {
  let sent = from;
  let acknowledged = from;
  const pump = (): void => {
    const room = OUTBOX_WINDOW_MAX - (sent - acknowledged);
    for (const record of outbox.after(sent, Math.max(0, room))) {
      channel.send(record);
      sent = record.sequence;
    }
  };
  const stop = outbox.onAppend(pump);
  return {
    pump,
    stop,
    acknowledge: async (sequence: number): Promise<void> => {
      // More than was sent on this connection is no acknowledgement of ours.
      if (sequence > sent)
        throw agentErrors.error("server-nonsense", "The server acknowledged what was not sent");
      acknowledged = Math.max(acknowledged, sequence);
      await outbox.acknowledge(sequence);
      pump();
    },
  } as const;
}

function sendHeartbeats(
  { clock, outbox, version, log }: Surroundings,
  state: AgentState,
  channel: Channel,
  factsAtFirst: string,
): () => void {
  let factsTold = factsAtFirst;
  let beats = 0;
  const beat = (): void => {
    const desiredVersion = state.desired?.version ?? null;
    channel.send({ type: "heartbeat", clock: clock.now().toISOString(), desiredVersion });
  };
  const tellFacts = async (): Promise<void> => {
    const facts = await readFacts();
    if (JSON.stringify(facts) === factsTold) return;
    factsTold = JSON.stringify(facts);
    await outbox.append({
      kind: "facts",
      at: clock.now().toISOString(),
      body: { facts, agentVersion: version },
    });
  };
  const timer = setInterval(() => {
    beat();
    beats += 1;
    if (beats % FACTS_EVERY_BEATS === 0)
      tellFacts().catch((cause: unknown) => log("error", messageOf(cause)));
  }, AGENT_HEARTBEAT_MS);
  beat();
  return () => clearInterval(timer);
}

type Order = Exclude<ServerMessage, { type: "ack" | "superseded" }>;

async function follow(
  around: Surroundings,
  state: AgentState,
  channel: Channel,
  message: Order,
): Promise<void> {
  switch (message.type) {
    case "desired-state":
      await around.folder.desired.write(message.desired);
      state.desired = message.desired;
      around.log("info", "Desired state received", { version: message.desired.version });
      state.changed.ring();
      return;
    case "work":
      if ((await around.workQueue.add(message.work)) === "full") return;
      channel.send({ type: "work-received", workId: message.work.id });
      if (message.work.kind === "cancel-run") await cancelRun(around, state, message.work);
      state.changed.ring();
      return;
    case "state":
      state.standing = message.state;
      state.changed.ring();
      return;
    case "challenge":
    case "welcome":
    case "refused":
      throw agentErrors.error("server-nonsense", `The server sent "${message.type}" after the greeting`);
    default:
      unreachable(message);
  }
}

async function cancelRun(
  around: Surroundings,
  state: AgentState,
  work: Extract<Work, { kind: "cancel-run" }>,
): Promise<void> {
  if (state.running?.runId === work.runId)
    state.running.cancel(agentErrors.error("run-cancelled", "The run was cancelled by a technician"));
  else {
    const error = {
      code: "agent.work-unknown",
      message: `Cannot cancel run ${work.runId}: it is not going on`,
    };
    const at = around.clock.now().toISOString();
    await around.outbox.append({ kind: "work-refused", at, body: { workId: work.id, error } });
  }
  await around.workQueue.finish(work);
}
