/** Captures the sources of the desired state into the server's REST vault. */

import { backupFiles, backupImage, type BackupProgress, type BackupResult } from "@mainstay/capture";
import { type CaptureSource, restorePointId, type RunProgress } from "@mainstay/contract";
import { createPacer, openBackend, openRepository, type Repository, withCounting } from "@mainstay/vault";
import { agentErrors } from "../errors.ts";
import type { Capture, Captured, CaptureRequest } from "./capture.ts";

/** Leaves the machine's other cores to its work. */
const THREADS_MAX = 2;

/** See {@link Capture}. Errors: `capture.*`, `vault.*`, `agent.source-mixed`. */
export const captureSources: Capture = async (request) => {
  const backend = withCounting(openServerBackend(request));
  await using repository = await openRepository({
    backend,
    password: request.desired.repositoryPassword,
    threads: THREADS_MAX,
  });
  const capture = kindOf(request.desired.sources) === "files" ? captureFiles : captureDisks;
  const done = await capture(request, repository);
  const id = restorePointId.parse(done.snapshot.id);
  return {
    result: {
      kind: "backup",
      restorePointId: id,
      mode: done.parent === undefined ? "full" : "incremental",
      readBytes: done.readBytes,
      addedBytes: done.storedBytes,
      sentBytes: backend.traffic().sentBytes,
    },
    point: {
      restorePointId: id,
      takenAt: new Date(done.snapshot.time).toISOString(),
      ...done.content,
      durationMs: done.durationMs,
    },
  };
};

function openServerBackend({ desired, address, certificateSha256 }: CaptureRequest) {
  const cap = desired.bandwidthCapBytesPerSecond;
  return openBackend(`rest:${new URL(desired.repositoryPath, address).href}`, {
    credentials: { user: desired.username, password: desired.password },
    trust: { kind: "pinned", of: "certificate", sha256: certificateSha256 },
    ...(cap === null ? {} : { pacing: { sent: createPacer(cap) } }),
  });
}

/** One restore point holds either disks or files. */
function kindOf(sources: readonly CaptureSource[]): "image" | "files" {
  const files = sources.filter((source) => source.kind === "files");
  if (files.length === 0) return "image";
  if (files.length === sources.length) return "files";
  throw agentErrors.error(
    "source-mixed",
    "Cannot back up disks and files in one restore point: found both among the sources; take one kind out",
    { values: { files: files.map((source) => source.name) } },
  );
}

type Done = Pick<BackupResult, "snapshot" | "parent" | "readBytes" | "storedBytes" | "durationMs"> & {
  readonly content: Pick<Captured["point"], "kind" | "disks">;
};

async function captureFiles(request: CaptureRequest, repository: Repository): Promise<Done> {
  const paths = request.desired.sources.flatMap((source) => (source.kind === "files" ? source.paths : []));
  const done = await backupFiles({
    repository,
    paths,
    hostname: request.hostName,
    onProgress: withRate(request.onProgress),
    signal: request.signal,
  });
  return { ...done, content: { kind: "files", disks: [] } };
}

async function captureDisks(request: CaptureRequest, repository: Repository): Promise<Done> {
  const done = await backupImage({
    repository,
    disks: request.desired.sources.filter((source) => source.kind !== "files"),
    hostname: request.hostName,
    onProgress: withRate(request.onProgress),
    signal: request.signal,
  });
  const disks = done.disks.map(({ name, sizeBytes }) => ({ name, sizeBytes }));
  return { ...done, content: { kind: "image", disks } };
}

/** The rate over the last seconds, and what it says of the time left. */
export function withRate(
  onProgress: (progress: RunProgress) => void,
  nowMs: () => number = () => performance.now(),
): (step: BackupProgress) => void {
  let phase = "";
  let samples: { readonly atMs: number; readonly doneBytes: number }[] = [];
  return (step) => {
    if (step.phase !== phase) samples = [];
    phase = step.phase;
    const atMs = nowMs();
    samples = [
      ...samples.filter((sample) => atMs - sample.atMs < RATE_WINDOW_MS),
      { atMs, doneBytes: step.doneBytes },
    ];
    const first = samples[0] ?? { atMs, doneBytes: step.doneBytes };
    const bytesPerSecond =
      atMs > first.atMs ? Math.max(0, ((step.doneBytes - first.doneBytes) * 1000) / (atMs - first.atMs)) : 0;
    // While folders are walked nobody knows how much there is.
    const totalBytes = step.totalBytes ?? step.doneBytes;
    const leftBytes = step.totalBytes === undefined ? undefined : Math.max(0, totalBytes - step.doneBytes);
    const isKnown = bytesPerSecond > 0 && leftBytes !== undefined;
    const remainingMs = isKnown ? (leftBytes * 1000) / bytesPerSecond : null;
    onProgress({ phase, doneBytes: step.doneBytes, totalBytes, bytesPerSecond, remainingMs });
  };
}

const RATE_WINDOW_MS = 5000;
