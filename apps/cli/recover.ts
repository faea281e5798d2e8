/** `mainstay recover`: the machine of a restore point, running straight out of the repository. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { formatBytes, formatDuration, parseBytes } from "@mainstay/kit";
import type { Recovery, RecoveryOptions } from "@mainstay/recovery";
import type { Repository } from "@mainstay/vault";
import { defineCommand } from "./command.ts";
import { cliErrors } from "./errors.ts";
import type { Terminal } from "./terminal/terminal.ts";
import { openRequested, repositoryOptions, type RepositoryRequest } from "./vault/repository.ts";

export const command = defineCommand({
  details:
    "Serves the disks of a restore point and starts the machine on them at once: nothing is restored first,\n" +
    "and the repository is never written. With probes it proves the machine and says how long each stage took.\n" +
    "The machine runs until Ctrl-C; with --once, or with probes and no --forward, it ends after the probes.\n" +
    "It reaches nothing outside but through the forwards, unless --outbound is given.",
  arguments: [{ name: "point", about: "the restore point: an id, its beginning, or latest" }],
  options: {
    ...repositoryOptions,
    memory: { value: "SIZE", default: "1G", about: "memory of the machine" },
    cpus: { value: "N", default: "2", about: "processors of the machine" },
    firmware: { value: "KIND", default: "bios", choices: ["bios", "uefi"], about: "what starts the disk" },
    bus: {
      value: "BUS",
      default: "virtio",
      choices: ["virtio", "sata", "nvme", "ide"],
      about: "how the disks are attached",
    },
    forward: {
      value: "tcp:HOST:GUEST",
      repeat: true,
      about: "port HOST of this machine leads to port GUEST of the machine",
    },
    probe: {
      value: "SPEC",
      repeat: true,
      about: "tcp:PORT, http:PORT/PATH, sql:URL?query=…&expect=…, screen?text=…, guest:COMMAND",
    },
    screenshot: { value: "FILE", about: "where the photograph of the screen goes (PNG)" },
    once: { about: "end the machine after the probes" },
    outbound: { about: "let the machine reach the network" },
    directKernel: {
      about: "start the disk's own Linux kernel without its boot loader, where the disk allows it",
    },
    work: {
      value: "DIR",
      about: "keeps the machine's writes, to go on with them later (default: a folder that is removed)",
    },
  },
  json: "the timeline, the probes' answers and the forwards, once the probes are through",
  examples: [
    "recover latest --repo /srv/vault/sql1 --forward tcp:15432:5432",
    'recover latest --repo R --probe "tcp:5432" --screenshot screen.png',
  ],
  programs: ["qemu-system-x86_64"],
  run: async ({ options, arguments: [point], terminal, signal }) => {
    // Counted from the start of the process: that is when it was asked for.
    const startMs = 0;
    const forwards = options.forward.map(parseForward);
    await using stack = new AsyncDisposableStack();
    const opening = startOpening({ options, terminal, signal }, stack);
    const { formatTimeline, parseProbe, runRecovery } = await import("@mainstay/recovery");
    const probes = options.probe.map(parseProbe);
    const repository = await opening;
    const workDirectory = options.work ?? (await temporaryFolder(stack));
    const recovery = stack.use(
      await runRecovery({
        repository,
        point,
        name: "recovered",
        memoryBytes: sizeOf(options.memory),
        cpus: Number(options.cpus),
        firmware: options.firmware === "uefi" ? "uefi" : "bios",
        bus: busOf(options.bus),
        workDirectory,
        bootTraces: join(
          process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
          "mainstay",
          "boot-traces",
        ),
        probes,
        forwards,
        outbound: options.outbound,
        directKernel: options.directKernel,
        startMs,
        onTimeline: (timeline) => {
          const last = timeline.at(-1);
          if (last !== undefined) terminal.note(`${formatDuration(last.atMs).padStart(8)}  ${last.stage}`);
        },
        signal,
      }),
    );
    if (options.screenshot !== undefined && recovery.result.screen !== undefined) {
      await writeFile(options.screenshot, recovery.result.screen.png);
    }
    const endsNow = options.once || (probes.length > 0 && forwards.length === 0);
    report(recovery, formatTimeline(recovery.result.timeline), terminal, endsNow);
    if (!endsNow) await untilEnd(recovery, signal);
    return recovery.result.outcome === "passed" ? 0 : 1;
  },
});

/** The password's key takes most of the time until a disk is served; what else is needed is loaded meanwhile. */
function startOpening(request: RepositoryRequest, stack: AsyncDisposableStack): Promise<Repository> {
  const ended = new AbortController();
  const signal = AbortSignal.any([request.signal, ended.signal]);
  const opening = openRequested({ ...request, signal });
  stack.defer(async () => {
    ended.abort();
    const repository = await opening.catch(() => undefined);
    await repository?.[Symbol.asyncDispose]();
  });
  // Whoever awaits it hears of a failure; until then it must not end the process.
  opening.catch(() => undefined);
  return opening;
}

type DiskBus = NonNullable<RecoveryOptions["bus"]>;

function report(
  { result, snapshot, disks, directKernelNote }: Recovery,
  stages: string,
  terminal: Terminal,
  endsNow: boolean,
): void {
  const { machine, probes, timeline, outcome, reason, screen } = result;
  if (directKernelNote !== undefined) terminal.note(`Started by its boot loader: ${directKernelNote}`);
  terminal.print(
    `Restore point ${snapshot.id.slice(0, 8)} ${outcome === "passed" ? "is proven" : "is NOT proven"} (${machine.accelerator.kind}: ${machine.accelerator.reason})`,
  );
  terminal.print(`  ${stages}`);
  for (const probe of probes)
    terminal.print(`  ${probe.state}: ${probe.asked} ${probe.answer} (${formatDuration(probe.tookMs)})`);
  if (reason !== undefined) terminal.print(`  ${reason}`);
  for (const { guestPort, host, hostPort } of machine.forwards)
    terminal.print(`  port ${guestPort} is at ${host}:${hostPort}`);
  if (!endsNow) terminal.note("The machine runs; Ctrl-C ends it");
  terminal.result({
    point: snapshot.id,
    outcome,
    reason,
    timeline,
    probes,
    forwards: machine.forwards,
    accelerator: machine.accelerator,
    screenSha256: screen?.sha256,
    writtenBytes: disks.map((disk) => disk.overlay?.writtenBytes ?? 0),
  });
}

/** Until Ctrl-C or the machine's own end; says what it wrote. */
async function untilEnd({ result, disks }: Recovery, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  void result.machine.exited.then(() => resolve());
  await promise;
  const writtenBytes = disks.reduce((sum, disk) => sum + (disk.overlay?.writtenBytes ?? 0), 0);
  process.stderr.write(`The machine wrote ${formatBytes(writtenBytes)}\n`);
}

async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mainstay-recover-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function parseForward(text: string): { hostPort: number; guestPort: number } {
  const match = /^tcp:(?<host>\d{1,5}):(?<guest>\d{1,5})$/.exec(text);
  if (match?.groups === undefined) {
    throw cliErrors.error("usage", `Cannot forward "${text}": wanted tcp:HOST:GUEST, such as tcp:15432:5432`);
  }
  return { hostPort: Number(match.groups["host"]), guestPort: Number(match.groups["guest"]) };
}

function sizeOf(text: string): number {
  const sizeBytes = parseBytes(text);
  if (sizeBytes !== undefined) return sizeBytes;
  throw cliErrors.error(
    "usage",
    `Cannot give the machine "${text}" of memory: wanted a size such as 2G or 512M`,
  );
}

function busOf(text: string): DiskBus {
  // The option's choices are these.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return text as DiskBus;
}
