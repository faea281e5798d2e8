/** One restore test from beginning to end: boot in isolation, probe, photograph, time. */

import type { MachineSettings, ProbeResult, ProbeSpec, TimelineEntry } from "@mainstay/contract";
import { reachedAtMs } from "@mainstay/recovery";
import type { Failure } from "../runs/run-store.ts";
import { launchPoint } from "./launch-point.ts";
import { probeResult } from "./probe-specs.ts";

export type ProofRequest = {
  readonly id: string;
  readonly repositoryFolder: string;
  readonly repositoryPassword: string;
  readonly restorePointId: string;
  readonly machine: MachineSettings;
  readonly probes: readonly ProbeSpec[];
  readonly folder: string;
  readonly bootTraces: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly onTimeline: (timeline: readonly TimelineEntry[]) => void;
  readonly signal: AbortSignal;
};

export type Proof = {
  readonly outcome: "passed" | "failed";
  readonly timeline: TimelineEntry[];
  readonly probes: ProbeResult[];
  readonly accelerator: "kvm" | "tcg" | null;
  readonly screenshot: Uint8Array | null;
  /** To the last probe passed; without probes, to the login. */
  readonly rtoMs: number | null;
  readonly versions: Readonly<Record<string, string>>;
  readonly error: Failure | null;
};

/** Rejects only when nothing was proven either way: the machine could not be started, or the signal aborted. */
export async function provePoint(request: ProofRequest): Promise<Proof> {
  let qemu: string | undefined;
  await using launched = await launchPoint({
    ...request,
    name: `test-${request.id}`,
    forwardPorts: [],
    network: "closed",
    onRunning: ({ machine }) => {
      machine.qmp
        .execute("query-version")
        .then((answer) => (qemu = qemuVersion(answer)))
        .catch(() => undefined);
    },
  });
  const { result } = launched;
  const timeline = [...result.timeline];
  const lastStage = request.probes.length === 0 ? "login" : "probe-passed";
  return {
    outcome: result.outcome,
    timeline,
    probes: request.probes.map((spec, index) => probeResult(spec, result.probes[index])),
    accelerator: result.machine.accelerator.kind,
    screenshot: result.screen?.png ?? null,
    rtoMs: result.outcome === "passed" ? (reachedAtMs(timeline, lastStage) ?? null) : null,
    versions: { ...request.versions, ...(qemu === undefined ? {} : { qemu }) },
    error: result.reason === undefined ? null : { code: "protection.probe-failed", message: result.reason },
  };
}

/** From QMP's `query-version`. */
function qemuVersion(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("qemu" in answer)) return undefined;
  const { qemu } = answer;
  if (typeof qemu !== "object" || qemu === null) return undefined;
  const part = (name: string): string => {
    const value: unknown = Reflect.get(qemu, name);
    return typeof value === "number" ? String(value) : "?";
  };
  return `${part("major")}.${part("minor")}.${part("micro")}`;
}
