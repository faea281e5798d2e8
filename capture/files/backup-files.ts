/** Backing up files and folders, laid out as restic lays them out, so that both deduplicate against each other. */

import { lstat, readFile } from "node:fs/promises";
import { hostname as machineName } from "node:os";
import { resolve } from "node:path";
import { messageOf, systemClock, type Clock } from "@mainstay/kit";
import {
  currentUser,
  loadIndex,
  lockRepository,
  openWriter,
  saveSnapshot,
  type ObjectId,
  type Repository,
  type Snapshot,
  type WriteFigures,
} from "@mainstay/vault";
import { captureErrors } from "../errors.ts";
import { adoptPacks } from "../adopt-packs.ts";
import { findParentPoint } from "../parent-point.ts";
import { PROGRAM_VERSION } from "../program-version.ts";
import type { OnProgress } from "../progress.ts";
import { createContentStream, STREAM_BUFFER_BYTES } from "./content-stream.ts";
import { parseIdNames, type IdNames } from "./file-node.ts";
import { openParentFolder } from "./parent-folder.ts";
import { startWalk, storeRoot } from "./store-tree.ts";

export type BackupFilesOptions = {
  readonly repository: Repository;
  /** Files and folders; made absolute. */
  readonly paths: readonly string[];
  /** By default the newest restore point of the same paths from this host. */
  readonly parent?: Snapshot | undefined;
  readonly hostname?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FilesResult = WriteFigures & {
  readonly snapshot: Snapshot;
  readonly parent?: ObjectId | undefined;
  readonly files: number;
  readonly folders: number;
  /** Bytes of file content read; unchanged files are not read. */
  readonly readBytes: number;
  readonly durationMs: number;
  /** What could not be read; the restore point lacks it. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
};

/**
 * Makes one restore point of the paths.
 *
 * Errors: `capture.source-missing` if a path is not there; `vault.*`; the signal's reason. A file within that cannot be
 * read does not stop the backup: it is named in `unreadable`.
 */
export async function backupFiles(options: BackupFilesOptions): Promise<FilesResult> {
  const { repository, signal, clock = systemClock } = options;
  const startMs = clock.monotonicMs();
  const paths = options.paths.map((path) => resolve(path));
  await checkPaths(paths);
  await using lock = await lockRepository(repository, "shared", clock);
  await loadIndex(repository, signal);
  const writer = openWriter(repository, { bufferBytes: STREAM_BUFFER_BYTES, signal });
  try {
    await adoptPacks(repository, writer, signal);
    const parent = options.parent ?? (await findParent(options, paths));
    const stream = createContentStream(writer, repository.config.polynomial, signal);
    const { onProgress } = options;
    const walk = startWalk({ repository, writer, stream, names: await readIdNames(), onProgress, signal });
    const root = await storeRoot(
      walk,
      paths.map((path) => path.split("/").filter((part) => part !== "")),
      parent === undefined ? undefined : openParentFolder(repository, parent.tree),
    );
    await stream.flush();
    const tree = await root.value;
    const figures = await writer.finish();
    await lock.assertHeld();
    const snapshot = await saveSnapshot(repository, snapshotOf(options, paths, tree, parent, clock));
    const { files, folders, readBytes, unreadable } = walk;
    const durationMs = clock.monotonicMs() - startMs;
    return { ...figures, snapshot, parent: parent?.id, files, folders, readBytes, durationMs, unreadable };
  } catch (cause) {
    await writer.abandon();
    throw cause;
  }
}

async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await lstat(path).catch((cause: unknown) => {
      throw captureErrors.error(
        "source-missing",
        `Cannot back up ${path}: ${messageOf(cause)}; correct the path`,
        {
          cause,
          values: { path },
        },
      );
    });
  }
}

async function readIdNames(): Promise<IdNames> {
  const read = (path: string) => readFile(path, "utf8").then(parseIdNames, () => new Map<number, string>());
  const [users, groups] = await Promise.all([read("/etc/passwd"), read("/etc/group")]);
  return { users, groups };
}

function findParent(options: BackupFilesOptions, paths: readonly string[]): Promise<Snapshot | undefined> {
  const host = options.hostname ?? machineName();
  const wanted = [...paths].sort().join("\0");
  const matches = (snapshot: Snapshot): boolean =>
    snapshot.hostname === host && [...snapshot.paths].sort().join("\0") === wanted;
  return findParentPoint(options.repository, matches, options.signal);
}

function snapshotOf(
  options: BackupFilesOptions,
  paths: readonly string[],
  tree: ObjectId,
  parent: Snapshot | undefined,
  clock: Clock,
) {
  return {
    time: clock.now().toISOString(),
    tree,
    parent: parent?.id,
    paths,
    hostname: options.hostname ?? machineName(),
    username: currentUser().name,
    tags: options.tags ?? [],
    programVersion: PROGRAM_VERSION,
  };
}
