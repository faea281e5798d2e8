/** Where one is signed in, and ending those sessions. */

import { Button } from "@mantine/core";
import type { OpenSession } from "@mainstay/contract";
import { IconDevices, IconPointFilled } from "@tabler/icons-react";
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { openSessionsQuery } from "../../api/queries.ts";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { When } from "../../components/when.tsx";
import { viewerTimeZone } from "../../format/instant.ts";
import { browserWords } from "./browser-words.ts";

export function OpenSessions() {
  const { data: sessions } = useSuspenseQuery(openSessionsQuery());
  return (
    <Panel title="Open sessions" padding="flush">
      <ListTable
        caption="Open sessions"
        rows={sessions.items}
        rowKey={(session) => session.id}
        columns={COLUMNS}
        empty={
          <Empty icon={IconDevices} title="No open sessions">
            Sign in again to see this one.
          </Empty>
        }
      />
    </Panel>
  );
}

const COLUMNS: readonly Column<OpenSession>[] = [
  {
    key: "where",
    title: "Browser",
    cell: (session) => (
      <span className="two-lines">
        <span>{browserWords(session.userAgent)}</span>
        <span className="quiet">{session.address}</span>
      </span>
    ),
  },
  {
    key: "seen",
    title: "Last seen",
    cell: (session) =>
      session.current ? (
        <Badge tone="active" icon={IconPointFilled}>
          This browser
        </Badge>
      ) : (
        <When at={session.lastSeenAt} timeZone={viewerTimeZone()} />
      ),
  },
  {
    key: "since",
    title: "Signed in",
    cell: (session) => <When at={session.signedInAt} timeZone={viewerTimeZone()} show="absolute" />,
    phone: "hide",
  },
  { key: "end", title: "", cell: (session) => <End session={session} />, align: "right", phone: "bare" },
];

function End({ session }: { readonly session: OpenSession }) {
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => api.sessions.end({ params: { sessionId: session.id } }),
    onSettled: () => queries.invalidateQueries({ queryKey: openSessionsQuery().queryKey }),
  });
  if (session.current) return null;
  return (
    <Button size="compact-xs" variant="default" onClick={() => end.mutate()} loading={end.isPending}>
      End
    </Button>
  );
}
