/** From measured values to a table for people and a file for programs. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "@mainstay/kit";

export type Unit = "seconds" | "bytes";

/** One thing measured, several times, on both sides. */
export type Measure = {
  readonly name: string;
  readonly unit: Unit;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
};

export type Comparison = {
  readonly name: string;
  readonly unit: Unit;
  /** Medians. */
  readonly ours: number;
  readonly theirs: number;
  /** Below 1: we are quicker or smaller. */
  readonly ratio: number;
  readonly repeats: number;
};

const RESULTS_FOLDER = join(import.meta.dirname, "../results");

export function compare({ name, unit, ours, theirs }: Measure): Comparison {
  const [our, their] = [median(ours), median(theirs)];
  return {
    name,
    unit,
    ours: our,
    theirs: their,
    ratio: round(our / their),
    repeats: Math.min(ours.length, theirs.length),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? Number.NaN, sorted[Math.floor(middle)] ?? Number.NaN];
  return (low + high) / 2;
}

/** Lines of equal columns: the first to the left, the others to the right. */
export function tableLines(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}

export function comparisonRow({ name, unit, ours, theirs, ratio }: Comparison): readonly string[] {
  return [name, formatValue(ours, unit), formatValue(theirs, unit), ratio.toFixed(2)];
}

/** Writes `results/NAME.json`; its path. */
export async function writeResult(name: string, result: unknown): Promise<string> {
  await mkdir(RESULTS_FOLDER, { recursive: true });
  const path = join(RESULTS_FOLDER, `${name}.json`);
  await writeFile(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
}

export function formatValue(value: number, unit: Unit): string {
  return unit === "bytes" ? formatBytes(value) : `${value.toFixed(2)} s`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
