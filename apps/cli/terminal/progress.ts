/**
 * How far the work is: one line that rewrites itself where somebody watches, a plain line now and then elsewhere,
 * nothing in JSON mode.
 */

import { formatBytes, formatDuration, systemClock, type Clock } from "@mainstay/kit";
import type { Terminal } from "./terminal.ts";

export type Progress = Disposable & {
  /** Begins a phase, ending the one before. `totalBytes` is what there is to do, if known. */
  phase(title: string, totalBytes?: number): void;
  /** So many bytes more are done in this phase. */
  advance(sizeBytes: number): void;
  /** So many bytes are done in this phase altogether. */
  reach(doneBytes: number): void;
  /** Replaces what there is to do, as it becomes known. */
  expect(totalBytes: number): void;
  /** A few words behind the figures, such as the file at hand. */
  remark(text: string): void;
  /** Leaves the finished phase's line on the terminal. May be called twice. */
  end(): void;
};

type Phase = {
  readonly title: string;
  readonly startMs: number;
  doneBytes: number;
  totalBytes: number | undefined;
  remark: string;
  rate: RateWindow;
};

/** The rate shown is that of the last seconds, so that it follows the work without jumping about. */
type RateWindow = { readonly samples: { readonly timeMs: number; readonly doneBytes: number }[] };

const REWRITE_EVERY_MS = 100;
const PLAIN_LINE_EVERY_MS = 30_000;
const RATE_WINDOW_MS = 8_000;
const ERASE_LINE = "\r\u001B[K";

export function startProgress(terminal: Terminal, clock: Clock = systemClock): Progress {
  let current: Phase | undefined;
  let shownMs = clock.monotonicMs();
  const everyMs = terminal.isWatched ? REWRITE_EVERY_MS : PLAIN_LINE_EVERY_MS;
  const show = (line: string): void => {
    if (terminal.mode === "json") return;
    terminal.writeError(
      terminal.isWatched ? ERASE_LINE + line.slice(0, terminal.columns() - 1) : `${line}\n`,
    );
    shownMs = clock.monotonicMs();
  };
  const showIfDue = (): void => {
    if (current !== undefined && clock.monotonicMs() - shownMs >= everyMs)
      show(describe(current, clock.monotonicMs()));
  };
  // The timer keeps the time going while nothing else moves; it must not keep the process alive.
  const timer = setInterval(showIfDue, everyMs).unref();
  const endPhase = (): void => {
    if (current === undefined) return;
    show(describeEnd(current, clock.monotonicMs()));
    if (terminal.isWatched && terminal.mode === "text") terminal.writeError("\n");
    current = undefined;
  };
  const change = (apply: (phase: Phase) => void): void => {
    if (current === undefined) return;
    apply(current);
    sample(current, clock.monotonicMs());
    showIfDue();
  };
  const end = (): void => {
    clearInterval(timer);
    endPhase();
  };
  return {
    phase: (title, totalBytes) => {
      endPhase();
      current = newPhase(title, totalBytes, clock.monotonicMs());
      if (terminal.isWatched) show(describe(current, clock.monotonicMs()));
    },
    advance: (sizeBytes) => change((phase) => (phase.doneBytes += sizeBytes)),
    reach: (doneBytes) => change((phase) => (phase.doneBytes = doneBytes)),
    expect: (totalBytes) => change((phase) => (phase.totalBytes = totalBytes)),
    remark: (text) => change((phase) => (phase.remark = text)),
    end,
    [Symbol.dispose]: end,
  };
}

function newPhase(title: string, totalBytes: number | undefined, startMs: number): Phase {
  const rate = { samples: [{ timeMs: startMs, doneBytes: 0 }] };
  return { title, startMs, doneBytes: 0, totalBytes, remark: "", rate };
}

function sample(phase: Phase, timeMs: number): void {
  const { samples } = phase.rate;
  const last = samples.at(-1);
  if (last === undefined || timeMs - last.timeMs >= REWRITE_EVERY_MS)
    samples.push({ timeMs, doneBytes: phase.doneBytes });
  while (samples.length > 2 && timeMs - (samples[1]?.timeMs ?? timeMs) > RATE_WINDOW_MS) samples.shift();
}

/** `Reading  12 %  8.4 GiB of 70 GiB  210 MiB/s  5 min 02 s left`. */
function describe(phase: Phase, nowMs: number): string {
  const rate = bytesPerSecond(phase, nowMs);
  const parts = [phase.title, ...describeAmount(phase)];
  if (phase.doneBytes > 0 && rate > 0) parts.push(`${formatBytes(rate)}/s`);
  if (phase.doneBytes === 0) parts.push(formatDuration(nowMs - phase.startMs));
  else if (phase.totalBytes !== undefined && rate > 0) {
    const leftMs = ((phase.totalBytes - phase.doneBytes) / rate) * 1000;
    if (leftMs > 0) parts.push(`${formatDuration(Math.max(1000, leftMs))} left`);
  }
  if (phase.remark !== "") parts.push(phase.remark);
  return parts.join("  ");
}

function describeAmount(phase: Phase): readonly string[] {
  if (phase.totalBytes === undefined) return phase.doneBytes === 0 ? [] : [formatBytes(phase.doneBytes)];
  const fraction = phase.totalBytes === 0 ? 1 : Math.min(1, phase.doneBytes / phase.totalBytes);
  const percent = `${Math.floor(fraction * 100)} %`.padStart(5);
  return [percent, `${formatBytes(phase.doneBytes)} of ${formatBytes(phase.totalBytes)}`];
}

function describeEnd(phase: Phase, nowMs: number): string {
  const elapsedMs = nowMs - phase.startMs;
  const parts = [phase.title, formatDuration(elapsedMs)];
  if (phase.doneBytes > 0) {
    parts.push(formatBytes(phase.doneBytes));
    if (elapsedMs > 0) parts.push(`${formatBytes(phase.doneBytes / (elapsedMs / 1000))}/s`);
  }
  return parts.join("  ");
}

function bytesPerSecond(phase: Phase, nowMs: number): number {
  const oldest = phase.rate.samples[0];
  if (oldest === undefined || nowMs <= oldest.timeMs) return 0;
  return ((phase.doneBytes - oldest.doneBytes) / (nowMs - oldest.timeMs)) * 1000;
}
