/** Byte counts and rates for people, in steps of 1,024. */

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `1536` → `1.5 KiB`; at most three significant digits. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes;
  let step = 0;
  while (value >= 1023.5 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  const digits = step === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const number = value.toFixed(digits);
  return `${number.includes(".") ? number.replace(/\.?0+$/, "") : number} ${STEPS[step]}`;
}

/** `112 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** A share of a whole as a whole percentage; `null` when the whole is not known yet. */
export function percentOf(part: number, whole: number): number | null {
  if (whole <= 0) return null;
  return Math.max(0, Math.min(100, Math.floor((part / whole) * 100)));
}

/** `1` → `1 device`, `12345` → `12,345 devices`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString("en-GB")} ${count === 1 ? singular : plural}`;
}
