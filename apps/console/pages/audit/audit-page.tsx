/** Every change, by whom and when, newest first. */

import { Button, Code, TextInput } from "@mantine/core";
import type { AuditEntry } from "@mainstay/contract";
import { IconHistory, IconSearch } from "@tabler/icons-react";
import { useSuspenseInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { auditQuery } from "../../api/queries.ts";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { When } from "../../components/when.tsx";
import { viewerTimeZone } from "../../format/instant.ts";

export function AuditPage() {
  const query = useSuspenseInfiniteQuery(auditQuery());
  const [filter, setFilter] = useState("");
  const [shown, setShown] = useState<AuditEntry>();
  const entries = query.data.pages.flatMap((page) => page.items);
  const wanted = filter.trim().toLowerCase();
  const rows = entries.filter((entry) =>
    `${entry.actor.name} ${entry.action} ${entry.subject.name}`.toLowerCase().includes(wanted),
  );
  return (
    <Page
      title="Audit"
      description="Written in the same transaction as the change itself; nothing here can be edited or removed."
    >
      <Panel
        title="Changes"
        padding="flush"
        actions={
          <TextInput
            size="xs"
            aria-label="Filter the shown changes"
            placeholder="Filter by user, action or subject"
            leftSection={<IconSearch size={15} />}
            value={filter}
            onChange={(event) => setFilter(event.currentTarget.value)}
            w={260}
          />
        }
      >
        <ListTable
          caption="Changes, newest first"
          rows={rows}
          rowKey={(entry) => entry.id}
          columns={columnsFor(setShown)}
          empty={
            <Empty
              icon={IconHistory}
              title={entries.length === 0 ? "Nothing was changed yet" : "No shown change matches"}
            >
              {entries.length === 0
                ? "The first change will stand here with who made it."
                : "Change the filter, or show older changes first."}
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
      <Dialog
        title={shown?.action ?? "Change"}
        opened={shown !== undefined}
        onClose={() => setShown(undefined)}
        size="lg"
      >
        {shown !== undefined && <Details entry={shown} />}
      </Dialog>
    </Page>
  );
}

function columnsFor(onShow: (entry: AuditEntry) => void): readonly Column<AuditEntry>[] {
  return [
    {
      key: "at",
      title: "When",
      cell: (entry) => <When at={entry.at} timeZone={viewerTimeZone()} show="absolute" />,
      sortBy: (entry) => Date.parse(entry.at),
      width: "13rem",
    },
    {
      key: "actor",
      title: "By",
      cell: (entry) => (
        <span>
          {entry.actor.name}{" "}
          {entry.actor.kind !== "user" && <span className="quiet">({entry.actor.kind})</span>}
        </span>
      ),
      sortBy: (entry) => entry.actor.name,
    },
    {
      key: "action",
      title: "Action",
      cell: (entry) => <span className="mono">{entry.action}</span>,
      sortBy: (entry) => entry.action,
    },
    {
      key: "subject",
      title: "Subject",
      cell: (entry) => (
        <span>
          {entry.subject.name} <span className="quiet">{entry.subject.kind}</span>
        </span>
      ),
      sortBy: (entry) => entry.subject.name,
    },
    {
      key: "details",
      title: "",
      align: "right",
      phone: "bare",
      cell: (entry) =>
        (entry.before !== undefined || entry.after !== undefined) && (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => onShow(entry)}
            aria-label={`Show what ${entry.action} changed on ${entry.subject.name}`}
          >
            Before and after
          </Button>
        ),
    },
  ];
}

function Details({ entry }: { readonly entry: AuditEntry }) {
  return (
    <div className="pair" style={{ alignItems: "start" }}>
      <div>
        <h3 className="label">Before</h3>
        <Code block>{textOf(entry.before)}</Code>
      </div>
      <div>
        <h3 className="label">After</h3>
        <Code block>{textOf(entry.after)}</Code>
      </div>
    </div>
  );
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? "Nothing" : JSON.stringify(value, null, 2);
}
