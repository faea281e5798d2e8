/** What stands in for a page that is on its way, failed, or does not exist. */

import { Loader } from "@mantine/core";
import { ButtonLink } from "../components/button-link.tsx";
import { IconMapQuestion } from "@tabler/icons-react";
import { useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useQueryErrorResetBoundary } from "@tanstack/react-query";
import { Empty } from "../components/empty.tsx";
import { ProblemView } from "../components/problem.tsx";

export function PageFailed({ error }: ErrorComponentProps) {
  const router = useRouter();
  const boundary = useQueryErrorResetBoundary();
  const again = () => {
    boundary.reset();
    void router.invalidate();
  };
  return <ProblemView cause={error} onAgain={again} />;
}

export function PagePending() {
  return (
    <div
      role="status"
      aria-label="Loading"
      style={{ display: "grid", placeItems: "center", padding: "6rem 1rem" }}
    >
      <Loader size="sm" type="dots" />
    </div>
  );
}

export function MissingPage() {
  return (
    <Empty
      icon={IconMapQuestion}
      title="There is no such page"
      action={
        <ButtonLink to="/" variant="default">
          To the overview
        </ButtonLink>
      }
    >
      The address may be mistyped, or what it named was removed.
    </Empty>
  );
}
