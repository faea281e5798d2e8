/** The end of every form in a dialog: what went wrong, then the way back and the way on. */

import { Button } from "@mantine/core";
import { ProblemLine } from "../components/problem.tsx";

type FormEndProps = {
  readonly submit: string;
  readonly pending: boolean;
  readonly cause: unknown;
  readonly onCancel: () => void;
  readonly disabled?: boolean;
  readonly danger?: boolean;
};

export function FormEnd({
  submit,
  pending,
  cause,
  onCancel,
  disabled = false,
  danger = false,
}: FormEndProps) {
  return (
    <>
      <ProblemLine cause={cause} />
      <div className="form-end">
        <Button variant="default" onClick={onCancel}>
          Cancel
        </Button>
        <Button type="submit" loading={pending} disabled={disabled} {...(danger ? { color: "red" } : {})}>
          {submit}
        </Button>
      </div>
    </>
  );
}
