/** Restore points on a time axis, one bar each, as tall as the bytes it added; its state is in the tooltip and in the table below. */

import { useElementSize } from "@mantine/hooks";
import { Tooltip } from "@mantine/core";
import { formatBytes, formatCount } from "../format/bytes.ts";
import { formatAxis, formatInstant } from "../format/instant.ts";
import classes from "./restore-point-plot.module.css";

export type PlottedPoint = {
  readonly id: string;
  readonly takenAt: string;
  readonly addedBytes: number;
  readonly state: "proven" | "usable" | "damaged";
};

const STATE_WORDS = {
  proven: "proven by a restore test",
  usable: "usable, not proven",
  damaged: "damaged",
} as const;
const HEIGHT = 132;
const TOP = 18;
const BASE = 108;
const SIDE = 6;

export function RestorePointPlot({
  points,
  timeZone,
}: {
  readonly points: readonly PlottedPoint[];
  readonly timeZone: string;
}) {
  const { ref, width } = useElementSize();
  const scale = scaleOf(points, Math.max(240, width));
  return (
    <figure className={classes.figure} ref={ref}>
      <svg width="100%" height={HEIGHT} role="img" aria-label={summary(points, timeZone)}>
        <Grid scale={scale} />
        {points.map((point) => (
          <Bar key={point.id} point={point} scale={scale} timeZone={timeZone} />
        ))}
        <Axis scale={scale} timeZone={timeZone} />
      </svg>
      <figcaption className={classes.legend}>
        <span data-state="proven">Proven</span>
        <span data-state="usable">Usable, not proven</span>
        <span data-state="damaged">Damaged</span>
        <span className={classes.scaleNote}>Height: bytes added, square-root scale</span>
      </figcaption>
    </figure>
  );
}

type Scale = {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly width: number;
  readonly mostBytes: number;
  readonly barWidth: number;
};

function scaleOf(points: readonly PlottedPoint[], width: number): Scale {
  const times = points.map((point) => Date.parse(point.takenAt));
  const fromMs = Math.min(...times);
  const spanMs = Math.max(1, Math.max(...times) - fromMs);
  const mostBytes = Math.max(1, ...points.map((point) => point.addedBytes));
  const barWidth = Math.max(3, Math.min(10, (width / Math.max(1, points.length)) * 0.6));
  return { fromMs, spanMs, width, mostBytes, barWidth };
}

function xOf(scale: Scale, at: number): number {
  const room = scale.width - 2 * SIDE - scale.barWidth;
  return SIDE + ((at - scale.fromMs) / scale.spanMs) * room;
}

/** A first backup is hundreds of times an incremental one: the square root keeps both visible. */
function heightOf(scale: Scale, addedBytes: number): number {
  return Math.max(3, Math.sqrt(addedBytes / scale.mostBytes) * (BASE - TOP));
}

type BarProps = { readonly point: PlottedPoint; readonly scale: Scale; readonly timeZone: string };

function Bar({ point, scale, timeZone }: BarProps) {
  const at = new Date(point.takenAt);
  const height = heightOf(scale, point.addedBytes);
  const label = `${formatInstant(at, timeZone)} · ${formatBytes(point.addedBytes)} added · ${STATE_WORDS[point.state]}`;
  return (
    <Tooltip label={label} openDelay={0}>
      <g className={classes.bar} data-state={point.state}>
        <rect
          x={xOf(scale, at.getTime()) - 2}
          y={TOP}
          width={scale.barWidth + 4}
          height={BASE - TOP}
          fill="transparent"
        />
        <rect
          x={xOf(scale, at.getTime())}
          y={BASE - height}
          width={scale.barWidth}
          height={height}
          rx={1.5}
        />
      </g>
    </Tooltip>
  );
}

function Grid({ scale }: { readonly scale: Scale }) {
  return (
    <g className={classes.grid} aria-hidden>
      <line x1={0} x2="100%" y1={BASE + 0.5} y2={BASE + 0.5} />
      <line x1={0} x2="100%" y1={TOP - 0.5} y2={TOP - 0.5} strokeDasharray="2 4" />
      <text x={0} y={TOP - 6}>
        {formatBytes(scale.mostBytes)}
      </text>
    </g>
  );
}

function Axis({ scale, timeZone }: { readonly scale: Scale; readonly timeZone: string }) {
  const ticks = Math.max(2, Math.min(7, Math.floor(scale.width / 130)));
  return (
    <g className={classes.axis} aria-hidden>
      {Array.from({ length: ticks }, (_, tick) => {
        const share = tick / (ticks - 1);
        const anchor = tick === 0 ? "start" : tick === ticks - 1 ? "end" : "middle";
        const at = new Date(scale.fromMs + share * scale.spanMs);
        return (
          <text key={tick} x={SIDE + share * (scale.width - 2 * SIDE)} y={HEIGHT - 6} textAnchor={anchor}>
            {formatAxis(at, timeZone, scale.spanMs)}
          </text>
        );
      })}
    </g>
  );
}

function summary(points: readonly PlottedPoint[], timeZone: string): string {
  const times = points.map((point) => point.takenAt).toSorted();
  const [first, last] = [times.at(0), times.at(-1)];
  if (first === undefined || last === undefined) return "No restore points";
  const [from, to] = [first, last].map((at) => formatInstant(new Date(at), timeZone));
  return `${formatCount(points.length, "restore point")} between ${from} and ${to}; the table below lists them`;
}
