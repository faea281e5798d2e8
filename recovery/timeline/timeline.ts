/** When a recovery reached which stage, in milliseconds since it was asked for. Pure values. */

export const stages = [
  "located",
  "served",
  "first-block",
  "firmware",
  "login",
  "service",
  "probe-passed",
] as const;

/**
 * - `located`: the restore point is found and opened
 * - `served`: its disks answer over NBD
 * - `first-block`: the machine asked for its first block
 * - `firmware`: the firmware handed over to the boot loader or kernel
 * - `login`: the system asks who is there, on the serial line or the screen
 * - `service`: a probed service gave its first answer, right or wrong
 * - `probe-passed`: all probes passed
 */
export type Stage = (typeof stages)[number];
export type Timeline = readonly { readonly stage: Stage; readonly atMs: number }[];

export const emptyTimeline: Timeline = [];

/** The timeline with `stage` reached at `atMs`. The first time counts: a later one of the same stage changes nothing. */
export function reach(timeline: Timeline, stage: Stage, atMs: number): Timeline {
  if (timeline.some((entry) => entry.stage === stage)) return timeline;
  const entries = [...timeline, { stage, atMs: Math.max(0, Math.round(atMs)) }];
  return entries.sort((a, b) => a.atMs - b.atMs || stages.indexOf(a.stage) - stages.indexOf(b.stage));
}

export function reachedAtMs(timeline: Timeline, stage: Stage): number | undefined {
  return timeline.find((entry) => entry.stage === stage)?.atMs;
}

/** `located 0.0 s → served 0.1 s → …`, for a person. */
export function formatTimeline(timeline: Timeline): string {
  return timeline.map(({ stage, atMs }) => `${stage} ${(atMs / 1000).toFixed(1)} s`).join(" → ");
}

/** SeaBIOS on its debug port, and what boot loaders and kernels write first to a serial line. */
export const firmwareDonePattern =
  /Booting from|GNU GRUB|Welcome to GRUB|GRUB loading|Linux version|EFI stub:/;
/** The last line asks for a name; a word "login:" further up is a log entry. */
export const serialLoginPattern = /(?:^|[\r\n])[^\r\n]{0,120}\blogin: ?$/;
export const screenLoginPattern = /\blogin:|\bsign in\b|\bctrl\s*\+?\s*alt\s*\+?\s*del/i;
