/** The figures that answer "can it be recovered, how much would be lost, how long would it take", and why not, if not. */

import type { DeviceOverview, ProtectionStatus } from "@mainstay/contract";
import { IconAlertTriangle, IconCircleX, IconShieldQuestion, type Icon } from "@tabler/icons-react";
import { Facts, type Fact } from "../../components/facts.tsx";
import { Rpo } from "../../components/rpo.tsx";
import { NotMeasured } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { formatBytes, formatCount } from "../../format/bytes.ts";
import { formatDuration } from "../../format/duration.ts";
import classes from "./device-status.module.css";

export function DeviceStatus({ seen }: { readonly seen: DeviceOverview }) {
  return (
    <section className={classes.status} aria-label="Protection now">
      <div className={classes.figures}>
        <Facts facts={factsOf(seen)} size="large" />
      </div>
      <Reasons protection={seen.protection} />
    </section>
  );
}

function factsOf({ protection, site, restorePoints, storedBytes }: DeviceOverview): readonly Fact[] {
  const zone = site.timeZone;
  return [
    {
      name: "RPO attained",
      value: (
        <Rpo attainedMinutes={protection.rpoAttainedMinutes} targetMinutes={protection.rpoTargetMinutes} />
      ),
      note:
        protection.newestRestorePointAt === null ? (
          "No usable restore point"
        ) : (
          <When at={protection.newestRestorePointAt} timeZone={zone} show="absolute" />
        ),
    },
    {
      name: "RTO attained",
      value: protection.rtoAttainedMs === null ? <NotMeasured /> : formatDuration(protection.rtoAttainedMs),
      note:
        protection.rtoAttainedMs === null
          ? "No recovery was proven yet"
          : "From asking to the last probe passed",
    },
    {
      name: "Last proven recovery",
      value:
        protection.lastProvenAt === null ? (
          <NotMeasured />
        ) : (
          <When at={protection.lastProvenAt} timeZone={zone} />
        ),
      note:
        protection.lastProvenAt === null ? (
          "Press “Test now”"
        ) : (
          <When at={protection.lastProvenAt} timeZone={zone} show="absolute" />
        ),
    },
    {
      name: "Newest replica off-site",
      value:
        protection.newestReplicaAt === null ? (
          <NotMeasured />
        ) : (
          <When at={protection.newestReplicaAt} timeZone={zone} />
        ),
      note:
        protection.newestReplicaAt === null ? (
          "Kept in one place only"
        ) : (
          <When at={protection.newestReplicaAt} timeZone={zone} show="absolute" />
        ),
    },
    {
      name: "Stored",
      value: storedBytes === null ? <NotMeasured /> : formatBytes(storedBytes),
      note: formatCount(restorePoints, "restore point"),
    },
  ];
}

const REASON_ICONS: Readonly<Record<ProtectionStatus["verdict"], Icon>> = {
  "not-protected": IconCircleX,
  "at-risk": IconAlertTriangle,
  "not-measured": IconShieldQuestion,
  protected: IconAlertTriangle,
};

function Reasons({ protection }: { readonly protection: ProtectionStatus }) {
  if (protection.reasons.length === 0) return null;
  const Glyph = REASON_ICONS[protection.verdict];
  return (
    <ul className={classes.reasons} data-verdict={protection.verdict}>
      {protection.reasons.map((reason) => (
        <li key={reason.code}>
          <Glyph size={16} stroke={1.8} aria-hidden /> {reason.text}
        </li>
      ))}
    </ul>
  );
}
