/** The stages of a recovery as a waterfall: each bar begins where the stage before ended, on one axis of seconds. */

import { formatDuration } from "../format/duration.ts";
import classes from "./stage-bars.module.css";

export type StageBar = {
  readonly name: string;
  /** What happens in this stage, for someone who has never seen it. */
  readonly meaning: string;
  /** Milliseconds after the recover command at which the stage was reached; `null` while it is awaited. */
  readonly atMs: number | null;
};

export function StageBars({
  stages,
  elapsedMs,
}: {
  readonly stages: readonly StageBar[];
  readonly elapsedMs: number | null;
}) {
  const reached = stages.flatMap((stage) => (stage.atMs === null ? [] : [stage.atMs]));
  const endMs = Math.max(1, elapsedMs ?? 0, ...reached);
  return (
    <div className={classes.frame}>
      <div className={classes.chart}>
        <ol className={classes.rows}>
          {stages.map((stage, position) => (
            <Row key={stage.name} stage={stage} fromMs={startOf(stages, position)} endMs={endMs} />
          ))}
        </ol>
        <div className={classes.axis} aria-hidden hidden={reached.length === 0}>
          <span>0</span>
          <span>{formatDuration(endMs / 2)}</span>
          <span>{formatDuration(endMs)}</span>
        </div>
      </div>
    </div>
  );
}

type RowProps = { readonly stage: StageBar; readonly fromMs: number; readonly endMs: number };

function Row({ stage, fromMs, endMs }: RowProps) {
  const waiting = stage.atMs === null;
  const toMs = stage.atMs ?? fromMs;
  return (
    <li className={classes.row} data-waiting={waiting || undefined}>
      <span className={classes.name} title={stage.meaning}>
        {stage.name}
      </span>
      <span className={classes.track} aria-hidden>
        {!waiting && (
          <span
            className={classes.bar}
            style={{
              left: `${(fromMs / endMs) * 100}%`,
              width: `max(3px, ${((toMs - fromMs) / endMs) * 100}%)`,
            }}
          />
        )}
      </span>
      <span className={classes.took}>{waiting ? "–" : `+${formatDuration(toMs - fromMs)}`}</span>
      <span className={classes.at}>{waiting ? "not reached" : formatDuration(toMs)}</span>
    </li>
  );
}

function startOf(stages: readonly StageBar[], position: number): number {
  const before = stages.slice(0, position).flatMap((stage) => (stage.atMs === null ? [] : [stage.atMs]));
  return Math.max(0, ...before);
}
