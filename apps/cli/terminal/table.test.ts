import { expect, test } from "vitest";
import { formatTable, type Column } from "./table.ts";

type Row = { readonly name: string; readonly size: string };
const columns: readonly Column<Row>[] = [
  { heading: "Name", value: (row) => row.name },
  { heading: "Size", value: (row) => row.size, align: "right" },
];

test("columns are as wide as their widest value, wide characters counted twice", () => {
  const rows = [
    { name: "SRV-SQL1", size: "70 GiB" },
    { name: "東京", size: "1 B" },
  ];
  expect(formatTable(columns, rows)).toEqual(["Name        Size", "SRV-SQL1  70 GiB", "東京         1 B"]);
});

test("no rows leave the headings, without trailing space", () => {
  expect(formatTable(columns, [])).toEqual(["Name  Size"]);
});
