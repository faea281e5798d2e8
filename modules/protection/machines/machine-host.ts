/** The machines that run on this server, its own and those it runs for a peer: in memory, since they end with the process. */

import path from "node:path";
import type {
  MachineSettings,
  RecoverySession,
  RecoverySessionId,
  RepositoryId,
  RestorePointId,
  TimelineEntry,
} from "@mainstay/contract";
import type { Clock } from "@mainstay/kit";
import { protectionErrors } from "../errors.ts";
import { type Failure } from "../runs/run-store.ts";
import { failureOf } from "../runs/server-runs.ts";
import { launchPoint, type LaunchedPoint, type LiveMachine } from "./launch-point.ts";

export type HostedMachine = {
  readonly id: RecoverySessionId;
  /** Who asked: `local`, or the peer's id. */
  readonly owner: string;
  readonly repositoryId: RepositoryId;
  readonly restorePointId: RestorePointId;
  readonly state: RecoverySession["state"];
  readonly accelerator: "kvm" | "tcg" | null;
  readonly timeline: TimelineEntry[];
  readonly forwards: { guestPort: number; address: string }[];
  readonly screen: "available" | "unavailable";
  readonly counts: { writtenBytes: number; readBytes: number } | null;
  readonly startedAt: string;
  readonly stoppedAt: string | null;
  readonly error: Failure | null;
};

export type HostRequest = {
  readonly id: RecoverySessionId;
  readonly owner: string;
  readonly repositoryId: RepositoryId;
  readonly repositoryFolder: string;
  readonly repositoryPassword: string;
  readonly restorePointId: RestorePointId;
  readonly machine: MachineSettings;
  readonly forwardPorts: readonly number[];
};

export type OnMachineChange = (machine: HostedMachine) => void;

export type MachineHost = {
  /** Answers at once, in state `starting`; with the machine there is, if the id is known. */
  start(request: HostRequest, onChange: OnMachineChange): HostedMachine;
  read(owner: string, id: string): HostedMachine | undefined;
  list(owner: string): HostedMachine[];
  /** Resolves when it is gone. Rejects with `protection.not-running`. */
  stop(owner: string, id: string): Promise<HostedMachine>;
  /** PNG. Rejects with `protection.not-running`. */
  screenshot(owner: string, id: string): Promise<Uint8Array>;
  /** The unix socket that speaks RFB, or `undefined`. */
  screenSocket(owner: string, id: string): string | undefined;
  /** What the machines here got; `null`: none ran yet. */
  accelerator(): "kvm" | "tcg" | null;
  stopAll(): Promise<void>;
};

/** Ended machines that can still be read. */
const ENDED_KEPT_MAX = 100;

type Entry = {
  view: HostedMachine;
  live: LiveMachine | undefined;
  readonly stop: AbortController;
  gone: Promise<void>;
};

export function createMachineHost(folder: string, clock: Clock): MachineHost {
  const entries = new Map<string, Entry>();
  const find = (owner: string, id: string): Entry | undefined => {
    const entry = entries.get(id);
    return entry?.view.owner === owner ? entry : undefined;
  };
  const running = (owner: string, id: string): Entry => {
    const entry = find(owner, id);
    if (entry !== undefined && isOpen(entry.view)) return entry;
    throw protectionErrors.error(
      "not-running",
      `Cannot reach recovery session ${id}: it has ended; start another`,
    );
  };
  return {
    start: (request, onChange) => {
      const known = entries.get(request.id);
      if (known !== undefined) return known.view;
      forgetOldest(entries);
      const entry: Entry = {
        view: startingView(request, clock),
        live: undefined,
        stop: new AbortController(),
        gone: Promise.resolve(),
      };
      entries.set(request.id, entry);
      entry.gone = follow(entry, request, path.join(folder, request.id), clock, onChange);
      return entry.view;
    },
    read: (owner, id) => current(find(owner, id)),
    list: (owner) =>
      [...entries.values()]
        .filter(({ view }) => view.owner === owner)
        .map((entry) => current(entry) ?? entry.view),
    stop: async (owner, id) => {
      const entry = running(owner, id);
      entry.view = { ...entry.view, state: "stopping", screen: "unavailable" };
      entry.stop.abort(new Error("the session was stopped"));
      await entry.gone;
      return entry.view;
    },
    screenshot: async (owner, id) => {
      const { live } = running(owner, id);
      if (live === undefined)
        throw protectionErrors.error(
          "not-running",
          `Cannot show the screen of ${id}: the machine is still starting`,
        );
      return await live.machine.screenshot();
    },
    screenSocket: (owner, id) => find(owner, id)?.live?.vncSocket,
    accelerator: () =>
      [...entries.values()].findLast(({ view }) => view.accelerator !== null)?.view.accelerator ?? null,
    stopAll: async () => {
      const all = [...entries.values()];
      for (const entry of all) entry.stop.abort(new Error("the server stops"));
      await Promise.all(all.map((entry) => entry.gone));
    },
  };
}

/** From start to end of one machine. Never rejects. */
async function follow(
  entry: Entry,
  request: HostRequest,
  folder: string,
  clock: Clock,
  onChange: OnMachineChange,
): Promise<void> {
  const change = (part: Partial<HostedMachine>): void => {
    entry.view = { ...entry.view, ...part };
    onChange(entry.view);
  };
  let launched: LaunchedPoint | undefined;
  let failure: Failure | null = null;
  try {
    launched = await launchPoint({
      ...request,
      name: `session-${request.id}`,
      probes: [],
      network: "open",
      folder,
      bootTraces: path.join(path.dirname(folder), "boot-traces"),
      signal: entry.stop.signal,
      onTimeline: (timeline) => change({ timeline: [...timeline] }),
      onRunning: (live) => {
        entry.live = live;
        const forwards = live.machine.forwards.map(addressOf);
        change({
          state: "running",
          accelerator: live.machine.accelerator.kind,
          forwards,
          screen: "available",
        });
        void live.machine.exited.then(() => entry.stop.abort(new Error("the machine ended")));
      },
    });
    await untilAborted(entry.stop.signal);
  } catch (cause) {
    if (!entry.stop.signal.aborted) failure = failureOf(cause);
  }
  const counts = entry.live?.counts() ?? null;
  entry.live = undefined;
  try {
    await launched?.[Symbol.asyncDispose]();
  } catch (cause) {
    failure ??= failureOf(cause);
  }
  const stoppedAt = clock.now().toISOString();
  change({
    state: failure === null ? "stopped" : "failed",
    screen: "unavailable",
    counts,
    stoppedAt,
    error: failure,
  });
}

function startingView(request: HostRequest, clock: Clock): HostedMachine {
  const { id, owner, repositoryId, restorePointId } = request;
  return {
    id,
    owner,
    repositoryId,
    restorePointId,
    state: "starting",
    accelerator: null,
    timeline: [],
    forwards: [],
    screen: "unavailable",
    counts: null,
    startedAt: clock.now().toISOString(),
    stoppedAt: null,
    error: null,
  };
}

/** With the counts as they are now. */
function current(entry: Entry | undefined): HostedMachine | undefined {
  if (entry === undefined) return undefined;
  return entry.live === undefined ? entry.view : { ...entry.view, counts: entry.live.counts() };
}

function addressOf(forward: {
  readonly host: string;
  readonly hostPort: number;
  readonly guestPort: number;
}) {
  return { guestPort: forward.guestPort, address: `${forward.host}:${forward.hostPort}` };
}

export function isOpen(machine: Pick<HostedMachine, "state">): boolean {
  return machine.state === "starting" || machine.state === "running";
}

function forgetOldest(entries: Map<string, Entry>): void {
  if (entries.size < ENDED_KEPT_MAX) return;
  for (const [id, { view }] of entries) if (view.stoppedAt !== null) return void entries.delete(id);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
