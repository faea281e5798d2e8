/** Sorting for lists: text as people order it, and what was not measured always last, whichever the direction. */

export type SortValue = string | number | null;

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export function sortRows<Row>(
  rows: readonly Row[],
  sortBy: (row: Row) => SortValue,
  direction: "ascending" | "descending",
): readonly Row[] {
  const sign = direction === "ascending" ? 1 : -1;
  return rows.toSorted((left, right) => compare(sortBy(left), sortBy(right), sign));
}

function compare(left: SortValue, right: SortValue, sign: number): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  if (typeof left === "number" && typeof right === "number") return sign * (left - right);
  return sign * collator.compare(String(left), String(right));
}
