/** What went wrong, in the server's own words, with its code and a way out. */

import { Button } from "@mantine/core";
import { ButtonLink } from "./button-link.tsx";
import { IconAlertTriangle, IconCloudOff, IconLock, IconMapQuestion, type Icon } from "@tabler/icons-react";
import { problemOf, type Problem, type ProblemKind } from "../api/problem.ts";
import classes from "./problem.module.css";

type ProblemViewProps = { readonly cause: unknown; readonly onAgain?: () => void };

/** For a whole page or panel that could not be shown. */
export function ProblemView({ cause, onAgain }: ProblemViewProps) {
  const problem = problemOf(cause);
  const Glyph = GLYPHS[problem.kind];
  return (
    <div className={classes.view} role="alert">
      <Glyph size={26} stroke={1.5} aria-hidden />
      <h2 className={classes.title}>{problem.title}</h2>
      <p className={classes.message}>{problem.message}</p>
      {problem.code !== null && <code className={classes.code}>{problem.code}</code>}
      <div className={classes.actions}>
        {onAgain !== undefined && (
          <Button onClick={onAgain} variant="default">
            Try again
          </Button>
        )}
        <ButtonLink to="/" variant="subtle">
          To the overview
        </ButtonLink>
      </div>
    </div>
  );
}

/** For a form or a dialog: one line above the buttons. */
export function ProblemLine({ cause }: { readonly cause: unknown }) {
  if (cause === null || cause === undefined) return null;
  const problem: Problem = problemOf(cause);
  return (
    <div className={classes.line} role="alert">
      <IconAlertTriangle size={16} aria-hidden />
      <span>{problem.message}</span>
    </div>
  );
}

const GLYPHS: Readonly<Record<ProblemKind, Icon>> = {
  offline: IconCloudOff,
  forbidden: IconLock,
  missing: IconMapQuestion,
  failed: IconAlertTriangle,
};
