/** The evidence ledger: what was proven, when, chained and signed; to take along and to check without us. */

import { Button } from "@mantine/core";
import { routes, urlOf, type EvidenceRecord } from "@mainstay/contract";
import { IconCircleCheck, IconCircleX, IconDownload, IconRosetteDiscountCheck } from "@tabler/icons-react";
import { useSuspenseInfiniteQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { evidenceKeyQuery, evidenceQuery } from "../../api/queries.ts";
import { Badge } from "../../components/badge.tsx";
import { ButtonLink } from "../../components/button-link.tsx";
import { CopyIcon, CopyText } from "../../components/copy-text.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { When } from "../../components/when.tsx";
import { formatDuration } from "../../format/duration.ts";
import { viewerTimeZone } from "../../format/instant.ts";

const FILE = "mainstay-evidence.jsonl";

export function EvidencePage() {
  const query = useSuspenseInfiniteQuery(evidenceQuery());
  const { data: key } = useSuspenseQuery(evidenceKeyQuery());
  const records = query.data.pages.flatMap((page) => page.items);
  return (
    <Page
      title="Evidence"
      description="Every restore test writes one record. Each holds the hash of the one before and is signed, so none can be changed, removed or slipped in unseen."
      actions={
        <Button
          component="a"
          href={urlOf(routes.evidence.export, {})}
          download={FILE}
          leftSection={<IconDownload size={16} />}
        >
          Export the ledger
        </Button>
      }
    >
      <Panel
        title="Check it without this server"
        description="With the export, this key and the mainstay program; it names the first broken record."
      >
        <CopyText
          text={`./mainstay evidence verify ${FILE} --key ${key.publicKey}`}
          what="the verification command"
        />
      </Panel>
      <Panel title="Ledger" padding="flush">
        <ListTable
          caption="Evidence records, newest first"
          rows={records}
          rowKey={(record) => String(record.sequence)}
          columns={COLUMNS}
          empty={
            <Empty
              icon={IconRosetteDiscountCheck}
              title="Nothing is proven yet"
              action={<ButtonLink to="/">Choose a device to test</ButtonLink>}
            >
              Press “Test now” on a device, or give its protection plan a restore test cadence: the first
              record appears when the test ended.
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

const COLUMNS: readonly Column<EvidenceRecord>[] = [
  { key: "sequence", title: "No.", cell: (record) => record.sequence, width: "4rem" },
  {
    key: "device",
    title: "Device",
    cell: (record) => (
      <span className="two-lines">
        <Link to="/restore-tests/$restoreTestId" params={{ restoreTestId: record.body.restoreTestId }}>
          {record.body.device.name}
        </Link>
        <span className="quiet">{record.body.customer.name}</span>
      </span>
    ),
    sortBy: (record) => record.body.device.name,
  },
  {
    key: "outcome",
    title: "Outcome",
    cell: (record) => <Outcome outcome={record.body.outcome} />,
    sortBy: (record) => record.body.outcome,
  },
  {
    key: "rto",
    title: "RTO attained",
    cell: (record) =>
      record.body.rtoMs === null ? (
        <span className="quiet">Not measured</span>
      ) : (
        formatDuration(record.body.rtoMs)
      ),
    sortBy: (record) => record.body.rtoMs,
    align: "right",
  },
  {
    key: "vault",
    title: "Tested in",
    cell: (record) => record.body.vault.name,
    sortBy: (record) => record.body.vault.name,
    phone: "hide",
  },
  {
    key: "at",
    title: "Signed",
    cell: (record) => <When at={record.at} timeZone={viewerTimeZone()} show="absolute" />,
    sortBy: (record) => Date.parse(record.at),
  },
  {
    key: "hash",
    title: "Hash",
    cell: (record) => (
      <span style={{ display: "inline-flex", alignItems: "center", gap: 4 }}>
        <span className="mono quiet">{record.hash.slice(0, 12)}</span>
        <CopyIcon text={record.hash} what={`the hash of record ${record.sequence}`} />
      </span>
    ),
    phone: "hide",
  },
];

function Outcome({ outcome }: { readonly outcome: EvidenceRecord["body"]["outcome"] }) {
  return outcome === "passed" ? (
    <Badge tone="good" icon={IconCircleCheck}>
      Passed
    </Badge>
  ) : (
    <Badge tone="bad" icon={IconCircleX}>
      Failed
    </Badge>
  );
}
