/** Every state of the contract as a badge. What was not measured is grey and says so; nothing unproven is green. */

import type {
  Device,
  RecoverySession,
  Replica,
  RestorePoint,
  RestoreTest,
  Run,
  Vault,
  Verdict,
} from "@mainstay/contract";
import {
  IconAlertTriangle,
  IconArchive,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockHour4,
  IconCloudCheck,
  IconCloudOff,
  IconCloudUp,
  IconHourglass,
  IconLoader2,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlugConnected,
  IconPlugConnectedX,
  IconRosetteDiscountCheck,
  IconShieldCheck,
  IconShieldExclamation,
  IconShieldQuestion,
  IconShieldX,
  type Icon,
} from "@tabler/icons-react";
import { Badge } from "./badge.tsx";
import type { Tone } from "./tone.ts";

type Look = { readonly tone: Tone; readonly icon: Icon; readonly label: string; readonly spinning?: boolean };
type Looks<State extends string> = Readonly<Record<State, Look>>;

export const VERDICTS: Looks<Verdict> = {
  protected: { tone: "good", icon: IconShieldCheck, label: "Protected" },
  "at-risk": { tone: "warn", icon: IconShieldExclamation, label: "At risk" },
  "not-protected": { tone: "bad", icon: IconShieldX, label: "Not protected" },
  "not-measured": { tone: "none", icon: IconShieldQuestion, label: "Not measured" },
};

const RUNS: Looks<Run["state"]> = {
  queued: { tone: "none", icon: IconHourglass, label: "Queued" },
  running: { tone: "active", icon: IconLoader2, label: "Running", spinning: true },
  succeeded: { tone: "good", icon: IconCircleCheck, label: "Succeeded" },
  failed: { tone: "bad", icon: IconCircleX, label: "Failed" },
  interrupted: { tone: "warn", icon: IconAlertTriangle, label: "Interrupted" },
};

const SESSIONS: Looks<RecoverySession["state"]> = {
  starting: { tone: "active", icon: IconLoader2, label: "Starting", spinning: true },
  running: { tone: "active", icon: IconPlayerPlay, label: "Running" },
  stopping: { tone: "none", icon: IconLoader2, label: "Stopping", spinning: true },
  stopped: { tone: "none", icon: IconPlayerStop, label: "Stopped" },
  failed: { tone: "bad", icon: IconCircleX, label: "Failed" },
};

const TESTS: Looks<RestoreTest["state"]> = {
  queued: { tone: "none", icon: IconHourglass, label: "Queued" },
  running: { tone: "active", icon: IconLoader2, label: "Running", spinning: true },
  passed: { tone: "good", icon: IconRosetteDiscountCheck, label: "Passed" },
  failed: { tone: "bad", icon: IconCircleX, label: "Failed" },
  interrupted: { tone: "warn", icon: IconAlertTriangle, label: "Interrupted" },
};

const REPLICAS: Looks<Replica["state"]> = {
  present: { tone: "good", icon: IconCloudCheck, label: "Present" },
  copying: { tone: "active", icon: IconCloudUp, label: "Copying" },
  missing: { tone: "bad", icon: IconCloudOff, label: "Missing" },
};

const VAULTS: Looks<Vault["state"]> = {
  ready: { tone: "good", icon: IconCircleCheck, label: "Ready" },
  unreachable: { tone: "bad", icon: IconPlugConnectedX, label: "Unreachable" },
  "not-measured": { tone: "none", icon: IconCircleDashed, label: "Not measured" },
};

type WithLook = { readonly look?: "plain" | "soft" };

export function VerdictBadge({ verdict, look }: WithLook & { readonly verdict: Verdict }) {
  return draw(VERDICTS[verdict], look);
}

export function RunBadge({ state, look }: WithLook & { readonly state: Run["state"] }) {
  return draw(RUNS[state], look);
}

export function SessionBadge({ state, look }: WithLook & { readonly state: RecoverySession["state"] }) {
  return draw(SESSIONS[state], look);
}

export function TestBadge({ state, look }: WithLook & { readonly state: RestoreTest["state"] }) {
  return draw(TESTS[state], look);
}

export function VaultBadge({ state, look }: WithLook & { readonly state: Vault["state"] }) {
  return draw(VAULTS[state], look);
}

/** Named by its vault: the icon and the tooltip-free word tell the state. */
export function ReplicaBadge({ replica }: { readonly replica: Replica }) {
  const look = REPLICAS[replica.state];
  const label =
    replica.state === "present" ? replica.vaultName : `${replica.vaultName}: ${look.label.toLowerCase()}`;
  return draw({ ...look, label });
}

export function ProofBadge({ proven }: { readonly proven: RestorePoint["proven"] }) {
  return proven === null
    ? draw({ tone: "none", icon: IconCircleDashed, label: "Not proven" })
    : draw({ tone: "good", icon: IconRosetteDiscountCheck, label: "Proven" });
}

export function AgentBadge({ device }: { readonly device: Device }) {
  if (device.state === "pending")
    return draw({ tone: "warn", icon: IconClockHour4, label: "Waits for approval" });
  if (device.state === "archived") return draw({ tone: "none", icon: IconArchive, label: "Archived" });
  if (device.agent === null) return draw({ tone: "none", icon: IconCircleDashed, label: "No agent" });
  return device.agent.connected
    ? draw({ tone: "good", icon: IconPlugConnected, label: "Agent connected" })
    : draw({ tone: "warn", icon: IconPlugConnectedX, label: "Agent away" });
}

export function NotMeasured() {
  return draw({ tone: "none", icon: IconCircleDashed, label: "Not measured" });
}

function draw(look: Look, as: "plain" | "soft" = "plain") {
  return (
    <Badge tone={look.tone} icon={look.icon} look={as} spinning={look.spinning ?? false}>
      {look.label}
    </Badge>
  );
}
