/** How a device is told in a list: name, verdict, RPO, proof, replica, size. Used wherever devices are listed. */

import { Tooltip } from "@mantine/core";
import type { DeviceKind, DeviceOverview, Verdict } from "@mainstay/contract";
import {
  IconBox,
  IconDeviceDesktop,
  IconRouter,
  IconServer,
  IconServer2,
  type Icon,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { formatBytes, formatRate, percentOf } from "../format/bytes.ts";
import { formatDuration } from "../format/duration.ts";
import classes from "./device-columns.module.css";
import type { Column } from "./list-table.tsx";
import { Rpo } from "./rpo.tsx";
import { AgentBadge, NotMeasured, VerdictBadge } from "./state-badges.tsx";
import { When } from "./when.tsx";
import { DEVICE_KIND_WORDS, RUN_KIND_WORDS } from "./words.ts";

const KIND_ICONS: Readonly<Record<DeviceKind, Icon>> = {
  server: IconServer,
  workstation: IconDeviceDesktop,
  "virtual-machine": IconBox,
  appliance: IconServer2,
  network: IconRouter,
};

/** Worst first. */
export const VERDICT_ORDER: Readonly<Record<Verdict, number>> = {
  "not-protected": 0,
  "at-risk": 1,
  "not-measured": 2,
  protected: 3,
};

export const DEVICE_COLUMNS: readonly Column<DeviceOverview>[] = [
  {
    key: "name",
    title: "Device",
    cell: (row) => <DeviceName row={row} />,
    sortBy: (row) => row.device.name,
  },
  {
    key: "verdict",
    title: "Protection",
    cell: (row) => <VerdictCell row={row} />,
    sortBy: (row) => VERDICT_ORDER[row.protection.verdict],
  },
  {
    key: "rpo",
    title: "RPO attained",
    cell: ({ protection }) => (
      <Rpo attainedMinutes={protection.rpoAttainedMinutes} targetMinutes={protection.rpoTargetMinutes} />
    ),
    sortBy: (row) => row.protection.rpoAttainedMinutes,
  },
  {
    key: "proven",
    title: "Last proven recovery",
    cell: (row) => <ProvenCell row={row} />,
    sortBy: ({ protection }) =>
      protection.lastProvenAt === null ? null : Date.parse(protection.lastProvenAt),
  },
  {
    key: "replica",
    title: "Newest replica",
    cell: ({ protection, site }) =>
      protection.newestReplicaAt === null ? (
        <NotMeasured />
      ) : (
        <When at={protection.newestReplicaAt} timeZone={site.timeZone} />
      ),
    sortBy: ({ protection }) =>
      protection.newestReplicaAt === null ? null : Date.parse(protection.newestReplicaAt),
  },
  {
    key: "stored",
    title: "Stored",
    cell: (row) =>
      row.storedBytes === null ? <span className="quiet">–</span> : formatBytes(row.storedBytes),
    sortBy: (row) => row.storedBytes,
    align: "right",
    phone: "hide",
  },
];

function DeviceName({ row }: { readonly row: DeviceOverview }) {
  const Glyph = KIND_ICONS[row.device.kind];
  const agentIsFine =
    row.device.state === "active" && (row.device.agent === null || row.device.agent.connected);
  return (
    <span className={classes.name}>
      <Glyph size={17} stroke={1.6} role="img" aria-label={DEVICE_KIND_WORDS[row.device.kind]} />
      <span className="two-lines">
        <Link to="/devices/$deviceId" params={{ deviceId: row.device.id }}>
          {row.device.name}
        </Link>
        <span className="quiet">
          {[row.site.name, row.device.facts.operatingSystem].filter((part) => part !== undefined).join(" · ")}
        </span>
        {!agentIsFine && <AgentBadge device={row.device} />}
      </span>
    </span>
  );
}

function VerdictCell({ row }: { readonly row: DeviceOverview }) {
  const reason = row.protection.reasons.at(0)?.text;
  return (
    <span className="two-lines">
      <VerdictBadge verdict={row.protection.verdict} />
      {reason !== undefined && <span className={classes.reason}>{reason}</span>}
      {row.activeRuns.slice(0, 1).map((run) => (
        <span key={run.id} className={classes.running}>
          {RUN_KIND_WORDS[run.kind]} {run.state}
          {run.progress !== null &&
            `, ${percentOf(run.progress.doneBytes, run.progress.totalBytes) ?? 0} % at ${formatRate(run.progress.bytesPerSecond)}`}
        </span>
      ))}
    </span>
  );
}

function ProvenCell({ row: { protection, site } }: { readonly row: DeviceOverview }) {
  if (protection.lastProvenAt === null) return <NotMeasured />;
  return (
    <span style={{ whiteSpace: "nowrap" }}>
      <When at={protection.lastProvenAt} timeZone={site.timeZone} />
      {protection.rtoAttainedMs !== null && (
        <Tooltip label="RTO attained: measured time of the last proven recovery">
          <span className="quiet"> in {formatDuration(protection.rtoAttainedMs)}</span>
        </Tooltip>
      )}
    </span>
  );
}
