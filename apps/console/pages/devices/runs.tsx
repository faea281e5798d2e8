/** What was done for a device, newest first, with what came of it. */

import { Button } from "@mantine/core";
import type { DeviceId, Run } from "@mainstay/contract";
import { IconHistory } from "@tabler/icons-react";
import { useSuspenseInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { runsQuery } from "../../api/queries.ts";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { RunBadge } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { RUN_KIND_WORDS } from "../../components/words.ts";
import { formatDuration } from "../../format/duration.ts";
import { runOutcome } from "./run-outcome.ts";
import classes from "./restore-points.module.css";

export function Runs({ deviceId, timeZone }: { readonly deviceId: DeviceId; readonly timeZone: string }) {
  const query = useSuspenseInfiniteQuery(runsQuery(deviceId));
  const runs = query.data.pages.flatMap((page) => page.items);
  return (
    <Panel title="Runs" padding="flush">
      <ListTable
        caption="Runs of this device, newest first"
        rows={runs}
        rowKey={(run) => run.id}
        columns={columnsFor(timeZone)}
        empty={
          <Empty icon={IconHistory} title="Nothing ran yet">
            Backups, replications and tests of this device are listed here with what they read, stored and
            proved.
          </Empty>
        }
      />
      {query.hasNextPage && (
        <div className={classes.more}>
          <Button
            size="xs"
            variant="subtle"
            onClick={() => void query.fetchNextPage()}
            loading={query.isFetchingNextPage}
          >
            Show older
          </Button>
        </div>
      )}
    </Panel>
  );
}

function columnsFor(timeZone: string): readonly Column<Run>[] {
  return [
    {
      key: "kind",
      title: "Run",
      cell: (run) => RUN_KIND_WORDS[run.kind],
      sortBy: (run) => RUN_KIND_WORDS[run.kind],
    },
    {
      key: "state",
      title: "State",
      cell: (run) => <RunBadge state={run.state} />,
      sortBy: (run) => run.state,
    },
    { key: "outcome", title: "Outcome", cell: (run) => <Outcome run={run} /> },
    {
      key: "took",
      title: "Took",
      cell: (run) =>
        tookMs(run) === null ? <span className="quiet">–</span> : formatDuration(tookMs(run) ?? 0),
      sortBy: tookMs,
      align: "right",
      phone: "hide",
    },
    {
      key: "at",
      title: "Started",
      cell: (run) => <When at={run.startedAt ?? run.queuedAt} timeZone={timeZone} />,
      sortBy: (run) => Date.parse(run.startedAt ?? run.queuedAt),
      align: "right",
    },
  ];
}

function tookMs(run: Run): number | null {
  if (run.startedAt === null || run.finishedAt === null) return null;
  return Date.parse(run.finishedAt) - Date.parse(run.startedAt);
}

function Outcome({ run }: { readonly run: Run }) {
  const text = runOutcome(run);
  if (run.result?.kind === "restore-test") {
    return (
      <Link to="/restore-tests/$restoreTestId" params={{ restoreTestId: run.result.restoreTestId }}>
        {text}
      </Link>
    );
  }
  return <span className={run.error === null ? "quiet" : undefined}>{text}</span>;
}
