/**
 * The console's table: sortable by keyboard, a row header per row, and on a phone each row becomes a small card.
 *
 * It is our own because the table components at hand leave out `aria-sort` and row headers and bring drag and drop along.
 */

import { UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconArrowsSort } from "@tabler/icons-react";
import { useMemo, useState, type ReactNode } from "react";
import classes from "./list-table.module.css";
import { sortRows, type SortValue } from "./sort-rows.ts";

export type Column<Row> = {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  readonly sortBy?: (row: Row) => SortValue;
  readonly align?: "right";
  /** What becomes of the cell on a phone: a labelled line (default), left out, or unlabelled for buttons. */
  readonly phone?: "line" | "hide" | "bare";
  readonly width?: string;
};

type Sort = { readonly key: string; readonly direction: "ascending" | "descending" };

type ListTableProps<Row> = {
  /** Says what the table holds, for screen readers. */
  readonly caption: string;
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  /** The first column names the row. */
  readonly columns: readonly Column<Row>[];
  readonly initialSort?: Sort;
  readonly empty: ReactNode;
  /** Rows of one group stand together under its heading; groups come in the order of their first row. */
  readonly groupOf?: (row: Row) => RowGroup;
};

export type RowGroup = { readonly key: string; readonly heading: ReactNode };

export function ListTable<Row>({
  caption,
  rows,
  rowKey,
  columns,
  initialSort,
  empty,
  groupOf,
}: ListTableProps<Row>) {
  const [sort, setSort] = useState<Sort | undefined>(initialSort);
  const sorted = useMemo(() => {
    const sortBy = columns.find((column) => column.key === sort?.key)?.sortBy;
    return sort === undefined || sortBy === undefined ? rows : sortRows(rows, sortBy, sort.direction);
  }, [rows, columns, sort]);
  if (rows.length === 0) return <>{empty}</>;
  return (
    <div className={classes.scroll}>
      <table className={classes.table}>
        <caption className={classes.caption}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <HeaderCell key={column.key} column={column} sort={sort} onSort={setSort} />
            ))}
          </tr>
        </thead>
        {grouped(sorted, groupOf).map((group) => (
          <tbody key={group.key}>
            {group.heading !== null && (
              <tr className={classes.groupRow}>
                <th colSpan={columns.length} scope="rowgroup">
                  {group.heading}
                </th>
              </tr>
            )}
            {group.rows.map((row) => (
              <tr key={rowKey(row)}>
                {columns.map((column, position) => (
                  <BodyCell key={column.key} column={column} row={row} names={position === 0} />
                ))}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

type Grouped<Row> = RowGroup & { readonly rows: Row[] };

function grouped<Row>(
  rows: readonly Row[],
  groupOf: ((row: Row) => RowGroup) | undefined,
): readonly Grouped<Row>[] {
  if (groupOf === undefined) return [{ key: "all", heading: null, rows: [...rows] }];
  const groups = new Map<string, Grouped<Row>>();
  for (const row of rows) {
    const group = groupOf(row);
    const known = groups.get(group.key);
    if (known === undefined) groups.set(group.key, { ...group, rows: [row] });
    else known.rows.push(row);
  }
  return [...groups.values()];
}

type HeaderCellProps<Row> = {
  readonly column: Column<Row>;
  readonly sort: Sort | undefined;
  readonly onSort: (sort: Sort) => void;
};

function HeaderCell<Row>({ column, sort, onSort }: HeaderCellProps<Row>) {
  const style = column.width === undefined ? undefined : { width: column.width };
  if (column.sortBy === undefined) {
    return (
      <th scope="col" data-align={column.align} style={style}>
        {column.title}
      </th>
    );
  }
  const current = sort?.key === column.key ? sort.direction : undefined;
  const next = current === "ascending" ? "descending" : "ascending";
  const Glyph =
    current === undefined ? IconArrowsSort : current === "ascending" ? IconArrowUp : IconArrowDown;
  return (
    <th scope="col" data-align={column.align} aria-sort={current ?? "none"} style={style}>
      <UnstyledButton className={classes.sort} onClick={() => onSort({ key: column.key, direction: next })}>
        {column.title}
        <Glyph size={13} aria-hidden className={current === undefined ? classes.idle : undefined} />
      </UnstyledButton>
    </th>
  );
}

type BodyCellProps<Row> = { readonly column: Column<Row>; readonly row: Row; readonly names: boolean };

function BodyCell<Row>({ column, row, names }: BodyCellProps<Row>) {
  const Cell = names ? "th" : "td";
  return (
    <Cell
      scope={names ? "row" : undefined}
      data-align={column.align}
      data-phone={column.phone ?? "line"}
      data-label={column.title}
    >
      {column.cell(row)}
    </Cell>
  );
}
