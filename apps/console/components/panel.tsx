/** A titled part of a page: one heading, optional actions at its right, content on its own surface. */

import { useId, type ReactNode } from "react";
import classes from "./panel.module.css";

type PanelProps = {
  readonly title: string;
  readonly description?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  /** `flush` lets a table touch the panel's edges. */
  readonly padding?: "normal" | "flush";
};

export function Panel({ title, description, actions, children, padding = "normal" }: PanelProps) {
  const headingId = useId();
  return (
    <section className={classes.panel} aria-labelledby={headingId}>
      <header className={classes.head}>
        <div className={classes.titles}>
          <h2 id={headingId} className={classes.title}>
            {title}
          </h2>
          {description !== undefined && <p className={classes.description}>{description}</p>}
        </div>
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </header>
      <div className={padding === "flush" ? classes.flush : classes.content}>{children}</div>
    </section>
  );
}
