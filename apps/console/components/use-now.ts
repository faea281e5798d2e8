/** The current moment, shared by everything on the page and moved on by one timer, so that all relative times agree. */

import { useSyncExternalStore } from "react";

const STEP_MS = 10_000;

let now = new Date();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

export function useNow(): Date {
  return useSyncExternalStore(subscribe, () => now);
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) start();
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

function start(): void {
  now = new Date();
  timer = setInterval(() => {
    now = new Date();
    for (const listener of listeners) listener();
  }, STEP_MS);
}
