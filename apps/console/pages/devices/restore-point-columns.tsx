/** How a restore point is told in the table: when, what, how it was proven, where its copies lie. */

import { Button, Tooltip } from "@mantine/core";
import type { RestorePoint } from "@mainstay/contract";
import { IconAlertOctagon, IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { Badge } from "../../components/badge.tsx";
import { CopyIcon } from "../../components/copy-text.tsx";
import type { Column } from "../../components/list-table.tsx";
import { ProofBadge, ReplicaBadge } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { formatBytes, formatCount } from "../../format/bytes.ts";
import { formatDuration } from "../../format/duration.ts";
import { formatInstant } from "../../format/instant.ts";

type ColumnsOptions = {
  readonly timeZone: string;
  readonly mayChange: boolean;
  readonly onRun: (point: RestorePoint) => void;
};

export function restorePointColumns({
  timeZone,
  mayChange,
  onRun,
}: ColumnsOptions): readonly Column<RestorePoint>[] {
  return [
    {
      key: "taken",
      title: "Taken",
      cell: (point) => (
        <span className="two-lines">
          <When at={point.takenAt} timeZone={timeZone} show="absolute" />
          <span className="quiet">
            <When at={point.takenAt} timeZone={timeZone} />
          </span>
        </span>
      ),
      sortBy: (point) => Date.parse(point.takenAt),
    },
    { key: "proof", title: "Proof", cell: (point) => <Proof point={point} timeZone={timeZone} /> },
    { key: "replicas", title: "In vaults", cell: (point) => <Replicas point={point} /> },
    { key: "holds", title: "Holds", cell: holds, phone: "hide" },
    {
      key: "added",
      title: "Added",
      cell: (point) =>
        point.addedBytes === null ? (
          <span className="quiet">Not measured</span>
        ) : (
          formatBytes(point.addedBytes)
        ),
      sortBy: (point) => point.addedBytes,
      align: "right",
    },
    {
      key: "took",
      title: "Took",
      cell: (point) =>
        point.durationMs === null ? <span className="quiet">–</span> : formatDuration(point.durationMs),
      sortBy: (point) => point.durationMs,
      align: "right",
      phone: "hide",
    },
    {
      key: "id",
      title: "Snapshot",
      cell: (point) => (
        <span style={{ display: "inline-flex", alignItems: "center", gap: 4 }}>
          <span className="mono quiet">{point.id.slice(0, 8)}</span>
          <CopyIcon text={point.id} what={`the snapshot id ${point.id.slice(0, 8)}`} />
        </span>
      ),
      phone: "hide",
    },
    ...(mayChange ? [runColumn(timeZone, onRun)] : []),
  ];
}

function runColumn(timeZone: string, onRun: (point: RestorePoint) => void): Column<RestorePoint> {
  return {
    key: "run",
    title: "",
    align: "right",
    phone: "bare",
    cell: (point) =>
      point.kind === "image" && (
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlayerPlay size={14} />}
          disabled={point.state === "damaged"}
          aria-label={`Run the restore point of ${formatInstant(new Date(point.takenAt), timeZone)}`}
          onClick={() => onRun(point)}
        >
          Run this restore point
        </Button>
      ),
  };
}

function Proof({ point, timeZone }: { readonly point: RestorePoint; readonly timeZone: string }) {
  if (point.state === "damaged") {
    return (
      <Badge tone="bad" icon={IconAlertOctagon}>
        Damaged
      </Badge>
    );
  }
  if (point.proven === null) return <ProofBadge proven={null} />;
  return (
    <Tooltip label={`Restore test of ${formatInstant(new Date(point.proven.at), timeZone)}`}>
      <Link to="/restore-tests/$restoreTestId" params={{ restoreTestId: point.proven.restoreTestId }}>
        <span style={{ display: "inline-flex", gap: "0.375rem", whiteSpace: "nowrap" }}>
          <ProofBadge proven={point.proven} />
          <span className="quiet">in {formatDuration(point.proven.rtoMs)}</span>
        </span>
      </Link>
    </Tooltip>
  );
}

function Replicas({ point }: { readonly point: RestorePoint }) {
  return (
    <span style={{ display: "flex", flexWrap: "wrap", gap: "0.125rem 0.75rem" }}>
      {point.replicas.map((replica) => (
        <ReplicaBadge key={replica.vaultId} replica={replica} />
      ))}
    </span>
  );
}

function holds(point: RestorePoint) {
  if (point.kind === "files") return "Files";
  const total = point.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  return `${formatCount(point.disks.length, "disk")}, ${formatBytes(total)}`;
}
