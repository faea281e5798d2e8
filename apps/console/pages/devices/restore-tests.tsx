/** The latest restore tests of a device. */

import type { DeviceId, RestoreTest } from "@mainstay/contract";
import { IconRosetteDiscountCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { restoreTestsQuery } from "../../api/queries.ts";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import { TestBadge } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { formatDuration } from "../../format/duration.ts";
import { formatInstant } from "../../format/instant.ts";

export function RestoreTests({
  deviceId,
  timeZone,
}: {
  readonly deviceId: DeviceId;
  readonly timeZone: string;
}) {
  const tests = useQuery(restoreTestsQuery(deviceId));
  return (
    <Panel title="Restore tests" padding="flush">
      {tests.isError && <ProblemLine cause={tests.error} />}
      {tests.isSuccess && (
        <ListTable
          caption="Restore tests of this device, newest first"
          rows={tests.data.items}
          rowKey={(test) => test.id}
          columns={columnsFor(timeZone)}
          empty={
            <Empty icon={IconRosetteDiscountCheck} title="Never tested">
              A restore test boots the newest restore point, asks the probes, takes a photograph and signs the
              result. Until one passed, this device is not proven to be recoverable.
            </Empty>
          }
        />
      )}
    </Panel>
  );
}

function columnsFor(timeZone: string): readonly Column<RestoreTest>[] {
  return [
    {
      key: "at",
      title: "Test",
      cell: (test) => (
        <Link to="/restore-tests/$restoreTestId" params={{ restoreTestId: test.id }}>
          {formatInstant(new Date(test.startedAt ?? test.queuedAt), timeZone)}
        </Link>
      ),
      sortBy: (test) => Date.parse(test.startedAt ?? test.queuedAt),
    },
    {
      key: "state",
      title: "Verdict",
      cell: (test) => <TestBadge state={test.state} />,
      sortBy: (test) => test.state,
    },
    { key: "probes", title: "Probes", cell: probesWords },
    {
      key: "rto",
      title: "RTO attained",
      cell: (test) =>
        test.rtoMs === null ? <span className="quiet">Not measured</span> : formatDuration(test.rtoMs),
      sortBy: (test) => test.rtoMs,
      align: "right",
    },
    {
      key: "ago",
      title: "When",
      cell: (test) => <When at={test.startedAt ?? test.queuedAt} timeZone={timeZone} />,
      align: "right",
      phone: "hide",
    },
  ];
}

function probesWords(test: RestoreTest): string {
  if (test.probes.length === 0) return "None set";
  const passed = test.probes.filter((probe) => probe.state === "passed").length;
  return `${passed} of ${test.probes.length} passed`;
}
