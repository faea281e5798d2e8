/** The frame of the pages before sign-in: the mark, one card, nothing else. */

import type { ReactNode } from "react";
import { useEffect } from "react";
import { Mark } from "../components/mark.tsx";
import classes from "./entrance.module.css";
import { SchemeToggle } from "./scheme-toggle.tsx";

type EntranceProps = {
  readonly title: string;
  readonly description?: ReactNode;
  readonly children: ReactNode;
};

export function Entrance({ title, description, children }: EntranceProps) {
  useEffect(() => {
    document.title = `${title} · Mainstay`;
  }, [title]);
  return (
    <div className={classes.frame}>
      <div className={classes.corner}>
        <SchemeToggle />
      </div>
      <main className={classes.card}>
        <div className={classes.brand}>
          <Mark size={28} /> Mainstay
        </div>
        <h1 className={classes.title}>{title}</h1>
        {description !== undefined && <p className={classes.description}>{description}</p>}
        {children}
      </main>
    </div>
  );
}
