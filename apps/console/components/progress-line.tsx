/** How far a piece of work is: a bar when the whole is known, a moving one when it is not, and always the words. */

import classes from "./progress-line.module.css";

type ProgressLineProps = {
  readonly label: string;
  /** 0-100, or `null` while the whole is not known. */
  readonly percent: number | null;
  readonly details?: readonly string[];
};

export function ProgressLine({ label, percent, details = [] }: ProgressLineProps) {
  return (
    <div className={classes.frame}>
      <div className={classes.words}>
        <span className={classes.label}>{label}</span>
        {percent !== null && <span className={classes.percent}>{percent} %</span>}
      </div>
      <div
        className={classes.track}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
      >
        <span
          className={classes.bar}
          data-unknown={percent === null || undefined}
          style={{ width: `${percent ?? 30}%` }}
        />
      </div>
      {details.length > 0 && <div className={classes.details}>{details.join(" · ")}</div>}
    </div>
  );
}
