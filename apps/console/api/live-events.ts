/** The web socket that tells what changed: collects changes for a moment, then has exactly those areas read again. */

import { EVENTS_PATH, liveEvent, type LiveEvent } from "@mainstay/contract";
import type { QueryClient } from "@tanstack/react-query";
import { LIVE_AREAS } from "./live-areas.ts";
import { applyRunProgress } from "./run-progress.ts";

export type LiveState = "connecting" | "live" | "broken";

const COLLECT_MS = 120;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;
/** While the socket is broken everything on screen is read again this often. */
const POLL_MS = 15_000;

let state: LiveState = "connecting";
const listeners = new Set<() => void>();

export function liveState(): LiveState {
  return state;
}

export function onLiveState(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Stays connected, with growing pauses between attempts, until `leaving` is aborted. */
export function followLiveEvents(queries: QueryClient, leaving: AbortSignal): void {
  const changed = collector(queries);
  const poll = setInterval(() => {
    if (state === "broken") void queries.invalidateQueries();
  }, POLL_MS);
  leaving.addEventListener("abort", () => clearInterval(poll), { once: true });
  let retryMs = RETRY_FIRST_MS;
  let before = false;
  const open = () => {
    if (leaving.aborted) return;
    const socket = new WebSocket(socketUrl());
    socket.addEventListener("message", (message) => {
      const event = parse(message.data);
      if (event === undefined) return;
      if (event.type === "hello") {
        retryMs = RETRY_FIRST_MS;
        setState("live");
        // What happened while the socket was away was not told: read all again.
        if (before) void queries.invalidateQueries();
        before = true;
      } else take(event, queries, changed);
    });
    socket.addEventListener("close", () => {
      if (leaving.aborted) return;
      setState("broken");
      setTimeout(open, retryMs);
      retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
    });
    leaving.addEventListener("abort", () => socket.close(), { once: true });
  };
  open();
}

type Change = Exclude<LiveEvent, { readonly type: "hello" }>;

function take(event: Change, queries: QueryClient, changed: (areas: readonly string[]) => void): void {
  if (event.type === "run.progress") applyRunProgress(queries, event);
  else changed(LIVE_AREAS[event.type]);
}

function collector(queries: QueryClient): (areas: readonly string[]) => void {
  const waiting = new Set<string>();
  return (areas) => {
    if (waiting.size === 0) setTimeout(flush, COLLECT_MS);
    for (const area of areas) waiting.add(area);
  };
  function flush(): void {
    for (const area of waiting) void queries.invalidateQueries({ queryKey: [area] });
    waiting.clear();
  }
}

function parse(data: unknown): LiveEvent | undefined {
  try {
    return liveEvent.safeParse(JSON.parse(String(data))).data;
  } catch {
    return undefined;
  }
}

function setState(next: LiveState): void {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener();
}

function socketUrl(): string {
  const url = new URL(EVENTS_PATH, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
