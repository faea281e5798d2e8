/** A recovered machine from its first block to its proof: started on an NBD socket, followed, probed, photographed. */

import { AssertionError, messageOf } from "@mainstay/kit";
import {
  startMachine,
  type DirectKernel,
  type DiskBus,
  type Exit,
  type Machine,
  type MachineSpec,
  type NbdAddress,
} from "@mainstay/qemu";
import type { ProbeContext } from "../probes/attempts.ts";
import { portOf, type ProbeResult, type ProbeSpec } from "../probes/probe-spec.ts";
import { failedProbe, runProbe } from "../probes/run-probe.ts";
import { examineScreen, recogniseText, type Screen } from "../screen/screen.ts";
import { emptyTimeline, reach, type Stage, type Timeline } from "../timeline/timeline.ts";
import { watchStages } from "./stages.ts";

export type RecoveredDisk = {
  readonly address: NbdAddress;
  readonly exportName: string;
  readonly bus: DiskBus;
};

export type RunMachineOptions = {
  readonly name: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly firmware: MachineSpec["firmware"];
  readonly disks: readonly RecoveredDisk[];
  /** Calls back at the first block that the machine asks for; from whoever serves the disks. */
  readonly onFirstBlock?: (listener: () => void) => void;
  readonly directKernel?: DirectKernel | undefined;
  readonly probes: readonly ProbeSpec[];
  /** Ports of the guest to reach beside those of the probes, and fixed ports of the host where wanted. */
  readonly forwards?: readonly { readonly hostPort: number; readonly guestPort: number }[];
  /** `true`: the machine may reach out. A restore test must not meet the original's partners. */
  readonly outbound?: boolean;
  readonly networkCard?: "virtio" | "e1000";
  readonly vncSocket?: string;
  readonly serialLog?: string;
  readonly qmpSocket?: string;
  readonly runtimeDirectory?: string;
  /** The stages before (located, served), and their zero on the clock of `performance.now()`. */
  readonly timeline?: Timeline;
  readonly timelineStartMs?: number;
  readonly onTimeline?: (timeline: Timeline) => void;
  /** The machine as soon as it runs, for a live screen. */
  readonly onMachine?: (machine: Machine) => void;
  /** Whether the picture's text is read into the result. */
  readonly readScreen?: boolean;
  readonly signal?: AbortSignal;
};

export type RunMachineResult = {
  readonly outcome: "passed" | "failed";
  /** Why it failed, for a person. */
  readonly reason?: string;
  /** Still running, unless the guest itself ended: who called stops it. */
  readonly machine: Machine;
  readonly timeline: Timeline;
  readonly probes: readonly ProbeResult[];
  /** Taken when the probes were through, passed or failed; `undefined` only if the machine was gone by then. */
  readonly screen: Screen | undefined;
  readonly screenText: string | undefined;
};

/**
 * Rejects only if the machine cannot start or on abort, and then nothing is left running. A machine that starts but
 * proves nothing is a result with outcome `failed`. Without probes the outcome is `passed` once the machine asks for a
 * login.
 */
export async function runMachine(options: RunMachineOptions): Promise<RunMachineResult> {
  const timelineStartMs = options.timelineStartMs ?? performance.now();
  let timeline = options.timeline ?? emptyTimeline;
  const reached = (stage: Stage): void => {
    const next = reach(timeline, stage, performance.now() - timelineStartMs);
    if (next === timeline) return;
    timeline = next;
    options.onTimeline?.(timeline);
  };
  options.onFirstBlock?.(() => reached("first-block"));
  const machine = await startMachine(
    specOf(options),
    options.signal === undefined ? {} : { signal: options.signal },
  );
  const watching = new AbortController();
  try {
    options.onMachine?.(machine);
    const stop =
      options.signal === undefined ? watching.signal : AbortSignal.any([options.signal, watching.signal]);
    const login = untilLogin(machine, reached, stop);
    const probes = await runProbes(machine, options, reached, login, watching);
    const screen = await photograph(machine, options.signal);
    const screenText =
      screen === undefined || options.readScreen !== true
        ? undefined
        : await recogniseText(screen.png, options.signal).catch((cause: unknown) => messageOf(cause));
    const reason = failureReason(probes);
    const outcome = reason === undefined ? "passed" : "failed";
    return {
      outcome,
      ...(reason === undefined ? {} : { reason }),
      machine,
      timeline,
      probes,
      screen,
      screenText,
    };
  } catch (cause) {
    await machine.stop();
    throw cause;
  } finally {
    watching.abort();
  }
}

function specOf(options: RunMachineOptions): MachineSpec {
  const wanted = new Map((options.forwards ?? []).map((forward) => [forward.guestPort, forward.hostPort]));
  for (const port of options.probes.map(portOf))
    if (port !== undefined && !wanted.has(port)) wanted.set(port, 0);
  const forwards = [...wanted].map(([guestPort, hostPort]) => ({ guestPort, hostPort }));
  const {
    name,
    memoryBytes,
    cpus,
    firmware,
    directKernel,
    networkCard,
    vncSocket,
    serialLog,
    qmpSocket,
    runtimeDirectory,
  } = options;
  return {
    name,
    memoryBytes,
    cpus,
    firmware,
    disks: options.disks.map(({ address, exportName, bus }) => ({
      source: { kind: "nbd", address, exportName },
      bus,
    })),
    network: {
      kind: "user",
      restrict: options.outbound !== true,
      forwards,
      ...(networkCard === undefined ? {} : { card: networkCard }),
    },
    ...(directKernel === undefined ? {} : { directKernel }),
    ...(vncSocket === undefined ? {} : { vncSocket }),
    ...(serialLog === undefined ? {} : { serialLog }),
    ...(qmpSocket === undefined ? {} : { qmpSocket }),
    ...(runtimeDirectory === undefined ? {} : { runtimeDirectory }),
  };
}

/** Resolves at the login stage; the watch goes on for the timeline until `stop`. */
function untilLogin(machine: Machine, reached: (stage: Stage) => void, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen = (stage: Stage): void => {
    reached(stage);
    if (stage === "login") resolve();
  };
  void watchStages(machine, seen, stop);
  return promise;
}

const LOGIN_ALONE: ProbeResult = {
  state: "passed",
  asked: "the system asks for a login",
  answer: "login",
  tookMs: 0,
  attempts: 1,
};
const LOGIN_TIMEOUT_MS = 600_000;

async function runProbes(
  machine: Machine,
  options: RunMachineOptions,
  reached: (stage: Stage) => void,
  login: Promise<void>,
  watching: AbortController,
): Promise<readonly ProbeResult[]> {
  const gone = machine.exited.then((exit) => watching.abort(new MachineGone(exit)));
  const signal =
    options.signal === undefined ? watching.signal : AbortSignal.any([options.signal, watching.signal]);
  if (options.probes.length === 0) return [await loginResult(machine, login, gone, options.signal)];
  const context = contextOf(machine, () => reached("service"));
  const results = await Promise.all(
    options.probes.map((spec) => runOne(spec, context, signal, options.signal)),
  );
  if (results.every((result) => result.state === "passed")) reached("probe-passed");
  return results;
}

async function loginResult(
  machine: Machine,
  login: Promise<void>,
  gone: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const startedMs = machine.startedAtMs;
  const { promise: over, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => resolve(`Cannot see a login within ${LOGIN_TIMEOUT_MS / 1000} s`),
    LOGIN_TIMEOUT_MS,
  );
  const onAbort = (): void => resolve("aborted");
  signal?.addEventListener("abort", onAbort, { once: true });
  const error = await Promise.race([
    login.then(() => undefined),
    over,
    gone.then(() => "Cannot see a login: the machine ended"),
  ]);
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  signal?.throwIfAborted();
  const tookMs = Math.round(performance.now() - startedMs);
  return error === undefined
    ? { ...LOGIN_ALONE, tookMs }
    : { ...LOGIN_ALONE, state: "failed", answer: "", tookMs, error };
}

/** A probe of a machine that ended has failed; an abort by the caller is the caller's. */
async function runOne(
  spec: ProbeSpec,
  context: ProbeContext,
  signal: AbortSignal,
  callers: AbortSignal | undefined,
): Promise<ProbeResult> {
  const startedMs = performance.now();
  try {
    return await runProbe(spec, context, { signal });
  } catch (cause) {
    callers?.throwIfAborted();
    if (cause instanceof AssertionError) throw cause;
    return failedProbe(spec, messageOf(cause), performance.now() - startedMs);
  }
}

function contextOf(machine: Machine, onService: () => void): ProbeContext {
  return {
    host: "127.0.0.1",
    hostPort: (guestPort) => machine.forwards.find((forward) => forward.guestPort === guestPort)?.hostPort,
    confirmConnection: (clientPort) => machine.isConnectionEstablished(clientPort),
    screenshot: (signal) => machine.screenshot({ signal }),
    guestAgent: machine.guestAgent,
    onService,
  };
}

async function photograph(machine: Machine, signal: AbortSignal | undefined): Promise<Screen | undefined> {
  try {
    return examineScreen(await machine.screenshot(signal === undefined ? {} : { signal }));
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

function failureReason(probes: readonly ProbeResult[]): string | undefined {
  const failed = probes.filter((probe) => probe.state === "failed");
  if (failed.length === 0) return undefined;
  return failed.map((probe) => `${probe.asked}: ${probe.error ?? "failed"}`).join("; ");
}

class MachineGone extends Error {
  override readonly name = "MachineGone";
  constructor(exit: Exit) {
    super(`Cannot probe the machine: it ended (status ${exit.status ?? exit.signal})`);
  }
}
