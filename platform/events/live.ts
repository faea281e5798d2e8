/** Live updates for consoles: sent with the commit that made them true, to every process, by PostgreSQL's NOTIFY. */

import { Client } from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { liveEvent, type LiveEvent } from "@mainstay/contract";
import { messageOf } from "@mainstay/kit";
import type { Database, DatabaseAddress, Tx } from "../database/database.ts";

const CHANNEL = "mainstay_live";
const RECONNECT_PAUSE_MS = 500;
/** NOTIFY takes less than 8000 bytes; our events are a few hundred. */
const EVENT_SIZE_BYTES_MAX = 7_000;

export type LiveEvents = {
  /** Tells subscribers once `tx` is committed. Lossy: what must happen is a job or part of the transaction. */
  announce(tx: Tx, event: LiveEvent): Promise<void>;
  /** Tells subscribers now; for progress. */
  tell(event: LiveEvent): void;
  /** `hello` means: some may have been missed, read all again. Answers the way to end it. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
  stop(): Promise<void>;
};

export async function startLiveEvents(
  database: Database,
  address: DatabaseAddress,
  log: (text: string) => void,
): Promise<LiveEvents> {
  const listeners = new Set<(event: LiveEvent) => void>();
  const deliver = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const connection = await keepListening(address, deliver, log);
  return {
    announce: async (tx, event) => {
      await tx.query("select pg_notify($1, $2)", [CHANNEL, textOf(event)]);
    },
    tell: (event) => {
      database.pool.query("select pg_notify($1, $2)", [CHANNEL, textOf(event)]).catch((cause: unknown) => {
        log(`a live event was lost: ${messageOf(cause)}`);
      });
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => connection.stop(),
  };
}

function textOf(event: LiveEvent): string {
  const text = JSON.stringify(event);
  // An event that does not fit says only that something changed.
  return Buffer.byteLength(text) <= EVENT_SIZE_BYTES_MAX ? text : JSON.stringify(helloEvent());
}

function helloEvent(): LiveEvent {
  return { type: "hello", at: new Date().toISOString() };
}

async function keepListening(
  address: DatabaseAddress,
  deliver: (event: LiveEvent) => void,
  log: (text: string) => void,
): Promise<{ stop(): Promise<void> }> {
  const stopped = new AbortController();
  let client = await listen(address, deliver, onLost);
  function onLost(): void {
    if (!stopped.signal.aborted) void reconnect();
  }
  async function reconnect(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        client = await listen(address, deliver, onLost);
        return deliver(helloEvent());
      } catch (cause) {
        log(`live events wait for the database: ${messageOf(cause)}`);
        await sleep(RECONNECT_PAUSE_MS);
      }
    }
  }
  return {
    stop: async () => {
      stopped.abort();
      await client.end().catch(() => undefined);
    },
  };
}

async function listen(
  address: DatabaseAddress,
  deliver: (event: LiveEvent) => void,
  onLost: () => void,
): Promise<Client> {
  const client = new Client({ ...address, application_name: "mainstay live", keepAlive: true });
  client.on("error", () => undefined);
  client.on("notification", ({ payload }) => {
    const parsed = liveEvent.safeParse(JSON.parse(payload ?? "null"));
    if (parsed.success) deliver(parsed.data);
  });
  try {
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
  } catch (cause) {
    await client.end().catch(() => undefined);
    throw cause;
  }
  client.once("end", onLost);
  return client;
}
