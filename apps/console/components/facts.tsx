/** Named values: a description list in as many columns as fit. */

import type { ReactNode } from "react";
import classes from "./facts.module.css";

export type Fact = { readonly name: string; readonly value: ReactNode; readonly note?: ReactNode };

export function Facts({
  facts,
  size = "normal",
}: {
  readonly facts: readonly Fact[];
  readonly size?: "normal" | "large";
}) {
  return (
    <dl className={classes.facts} data-size={size}>
      {facts.map((fact) => (
        <div key={fact.name} className={classes.fact}>
          <dt>{fact.name}</dt>
          <dd className={classes.value}>{fact.value}</dd>
          {fact.note !== undefined && <dd className={classes.note}>{fact.note}</dd>}
        </div>
      ))}
    </dl>
  );
}
