/** Asking until the answer is right or the time is up. */

import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemClock, type Clock } from "@mainstay/kit";
import { attempt, type ProbeContext } from "./attempts.ts";
import { describeProbe, redact, type ProbeResult, type ProbeSpec } from "./probe-spec.ts";

const FIRST_PAUSE_MS = 100;
const PAUSE_MAX_MS = 1_000;
const PAUSE_GROWTH = 1.3;
/** Reading a screen costs a second of the processor that the machine boots on. */
const SCREEN_PAUSE_MS = 3_000;
const ANSWER_CHARS_MAX = 2_000;

export type RunProbeOptions = { readonly signal?: AbortSignal; readonly clock?: Clock };

/**
 * Never rejects because the machine fails: that is a result. Rejects only with the signal's reason. What it gives is fit
 * for evidence: no password in it, the guest's words cut and without control characters.
 */
export async function runProbe(
  spec: ProbeSpec,
  context: ProbeContext,
  options: RunProbeOptions = {},
): Promise<ProbeResult> {
  const clock = options.clock ?? systemClock;
  const startedMs = clock.monotonicMs();
  const limit = AbortSignal.timeout(Math.ceil(spec.timeoutMs));
  const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
  let [attempts, answer, error] = [0, "", "there was no time for an attempt"];
  const result = (state: ProbeResult["state"]): ProbeResult => {
    const shared = {
      state,
      asked: clean(spec, describeProbe(spec)),
      answer,
      tookMs: Math.round(clock.monotonicMs() - startedMs),
      attempts,
    };
    return state === "passed" ? shared : { ...shared, error: clean(spec, error) };
  };
  const firstPauseMs = spec.kind === "screen" ? SCREEN_PAUSE_MS : FIRST_PAUSE_MS;
  const pauseMaxMs = Math.max(firstPauseMs, PAUSE_MAX_MS);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMaxMs, pauseMs * PAUSE_GROWTH)) {
    attempts += 1;
    try {
      const tried = await untilAborted(attempt(spec, context, signal), signal);
      answer = clean(spec, tried.answer);
      if (tried.matches) return result("passed");
      error = `Cannot accept the answer: found "${tried.answer.slice(0, 200)}", wanted ${tried.wanted}`;
      if (tried.final === true) return result("failed");
    } catch (cause) {
      // The last real failure says more than that the time was up.
      if (!signal.aborted) error = messageOf(cause) || String(cause);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
    options.signal?.throwIfAborted();
    if (limit.aborted) return result("failed");
  }
}

/** The result of a probe that could not be tried. */
export function failedProbe(spec: ProbeSpec, error: string, tookMs: number): ProbeResult {
  return {
    state: "failed",
    asked: clean(spec, describeProbe(spec)),
    answer: "",
    tookMs: Math.round(tookMs),
    attempts: 0,
    error: clean(spec, error),
  };
}

/** Drivers do not all take a signal: what they still do after the end of our patience is not waited for. */
function untilAborted<Result>(task: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error("no answer within the probe's time"));
    signal.addEventListener("abort", abort, { once: true });
    task.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

function clean(spec: ProbeSpec, text: string): string {
  const printable = redact(spec, text).replaceAll(/[^\P{Cc}\n]/gu, "");
  return printable.length <= ANSWER_CHARS_MAX
    ? printable.trim()
    : `${printable.slice(0, ANSWER_CHARS_MAX - 1)}…`;
}
