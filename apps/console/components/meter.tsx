/** How full something is, in words and as a bar that changes tone when room becomes short. */

import { formatBytes, percentOf } from "../format/bytes.ts";
import classes from "./meter.module.css";

export function Meter({
  usedBytes,
  freeBytes,
}: {
  readonly usedBytes: number;
  readonly freeBytes: number | null;
}) {
  if (freeBytes === null) {
    return (
      <div className={classes.words}>
        <span>{formatBytes(usedBytes)} used</span>
        <span className={classes.quiet}>free space not measured</span>
      </div>
    );
  }
  const percent = percentOf(usedBytes, usedBytes + freeBytes) ?? 0;
  return (
    <div>
      <div className={classes.words}>
        <span>{formatBytes(usedBytes)} used</span>
        <span className={classes.quiet}>{formatBytes(freeBytes)} free</span>
      </div>
      <div
        className={classes.track}
        role="meter"
        aria-label="Space used"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
      >
        <span
          className={classes.bar}
          data-tone={percent >= 95 ? "bad" : percent >= 85 ? "warn" : "normal"}
          style={{ width: `${percent}%` }}
        />
      </div>
    </div>
  );
}
