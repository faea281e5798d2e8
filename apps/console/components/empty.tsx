/** What a list says when it has nothing: why, and the next step. */

import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./empty.module.css";

type EmptyProps = {
  readonly icon: Icon;
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
};

export function Empty({ icon: Glyph, title, children, action }: EmptyProps) {
  return (
    <div className={classes.empty}>
      <span className={classes.glyph}>
        <Glyph size={22} stroke={1.6} aria-hidden />
      </span>
      <p className={classes.title}>{title}</p>
      <p className={classes.text}>{children}</p>
      {action !== undefined && <div className={classes.action}>{action}</div>}
    </div>
  );
}
