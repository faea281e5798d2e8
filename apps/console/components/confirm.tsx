/** Asks before something that cannot be taken back, and says what exactly will happen. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Dialog } from "./dialog.tsx";
import { ProblemLine } from "./problem.tsx";

type ConfirmProps = {
  readonly title: string;
  /** What will happen, and what will not. */
  readonly children: ReactNode;
  readonly action: string;
  readonly danger?: boolean;
  readonly run: () => Promise<unknown>;
  readonly opened: boolean;
  readonly onClose: () => void;
};

export function Confirm({ title, children, action, danger = false, run, opened, onClose }: ConfirmProps) {
  const act = useMutation({ mutationFn: run, onSuccess: onClose });
  return (
    <Dialog title={title} opened={opened} onClose={onClose}>
      <div className="stack">
        <div>{children}</div>
        <ProblemLine cause={act.error} />
        <div className="form-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            Cancel
          </Button>
          <Button onClick={() => act.mutate()} loading={act.isPending} {...(danger ? { color: "red" } : {})}>
            {action}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
