/** A state as icon, word and tone: readable without colour, and by a screen reader. */

import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./badge.module.css";
import type { Tone } from "./tone.ts";

type BadgeProps = {
  readonly tone: Tone;
  readonly icon: Icon;
  readonly children: ReactNode;
  /** `plain` is for table cells, `soft` for headers where it should be found first. */
  readonly look?: "plain" | "soft";
  readonly spinning?: boolean;
};

export function Badge({ tone, icon: Glyph, children, look = "plain", spinning = false }: BadgeProps) {
  return (
    <span className={classes.badge} data-tone={tone} data-look={look}>
      <Glyph
        size={look === "soft" ? 16 : 15}
        stroke={1.9}
        aria-hidden
        className={spinning ? classes.spinning : undefined}
      />
      <span>{children}</span>
    </span>
  );
}
