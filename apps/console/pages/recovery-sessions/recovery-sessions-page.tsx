/** Machines that run, or ran, from a restore point. */

import { Button } from "@mantine/core";
import type { Overview, RecoverySession, Vault } from "@mainstay/contract";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useSuspenseInfiniteQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { overviewQuery, recoverySessionsQuery, vaultsQuery } from "../../api/queries.ts";
import { ButtonLink } from "../../components/button-link.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { SessionBadge } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { formatBytes } from "../../format/bytes.ts";
import { formatDuration } from "../../format/duration.ts";

export function RecoverySessionsPage() {
  const query = useSuspenseInfiniteQuery(recoverySessionsQuery());
  const { data: overview } = useSuspenseQuery(overviewQuery());
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const sessions = query.data.pages.flatMap((page) => page.items);
  return (
    <Page
      title="Recovery sessions"
      description="Machines running straight out of a repository, here or off-site. What they write is gone when they stop."
    >
      <Panel title="All sessions" padding="flush">
        <ListTable
          caption="Recovery sessions, newest first"
          rows={sessions}
          rowKey={(session) => session.id}
          columns={columnsFor(overview, vaults)}
          empty={
            <Empty
              icon={IconPlayerPlay}
              title="Nothing was recovered yet"
              action={<ButtonLink to="/">Choose a device</ButtonLink>}
            >
              Open a device and press “Run this restore point” to have it running within seconds.
            </Empty>
          }
        />
        {query.hasNextPage && (
          <Button
            variant="subtle"
            size="xs"
            fullWidth
            onClick={() => void query.fetchNextPage()}
            loading={query.isFetchingNextPage}
          >
            Show older
          </Button>
        )}
      </Panel>
    </Page>
  );
}

function columnsFor(overview: Overview, vaults: readonly Vault[]): readonly Column<RecoverySession>[] {
  const devices = new Map(
    overview.customers.flatMap((entry) =>
      entry.devices.map((row) => [row.device.id, { row, customer: entry.customer }]),
    ),
  );
  const zoneOf = (session: RecoverySession) => devices.get(session.deviceId)?.row.site.timeZone ?? "UTC";
  return [
    {
      key: "device",
      title: "Device",
      cell: (session) => (
        <span className="two-lines">
          <Link to="/recovery-sessions/$recoverySessionId" params={{ recoverySessionId: session.id }}>
            {devices.get(session.deviceId)?.row.device.name ?? "Archived device"}
          </Link>
          <span className="quiet">{devices.get(session.deviceId)?.customer.name}</span>
        </span>
      ),
      sortBy: (session) => devices.get(session.deviceId)?.row.device.name ?? null,
    },
    {
      key: "state",
      title: "State",
      cell: (session) => <SessionBadge state={session.state} />,
      sortBy: (session) => session.state,
    },
    {
      key: "where",
      title: "Where",
      cell: (session) => vaults.find((vault) => vault.id === session.vaultId)?.name ?? "Unknown vault",
    },
    { key: "up", title: "Up after", cell: upAfter, align: "right" },
    {
      key: "written",
      title: "Written",
      cell: (session) =>
        session.counts === null ? <span className="quiet">–</span> : formatBytes(session.counts.writtenBytes),
      align: "right",
      phone: "hide",
    },
    {
      key: "by",
      title: "Started by",
      cell: (session) => session.startedBy,
      sortBy: (session) => session.startedBy,
      phone: "hide",
    },
    {
      key: "at",
      title: "Started",
      cell: (session) => <When at={session.startedAt} timeZone={zoneOf(session)} />,
      sortBy: (session) => Date.parse(session.startedAt),
      align: "right",
    },
  ];
}

function upAfter(session: RecoverySession) {
  const up = session.timeline.find((entry) => entry.stage === "service" || entry.stage === "login");
  return up === undefined ? <span className="quiet">Not measured</span> : formatDuration(up.atMs);
}
