/** Repositories worth pruning, for tests of the prune and of its oracle. */

import { FILE_KINDS, type Backend } from "../backend/backend.ts";
import { openContent } from "../content/content-map.ts";
import { openReader } from "../content/content-reader.ts";
import { createImageWriter, storeImageRoot } from "../image/image-writer.ts";
import { chunkCountOf, layoutWith } from "../image/layout.ts";
import { loadIndex } from "../index/load-index.ts";
import { openWriter } from "../repository/blob-writer.ts";
import type { Repository } from "../repository/repository.ts";
import { listSnapshots, saveSnapshot } from "../repository/snapshots.ts";
import { noise } from "../test-repository.ts";
import type { Snapshot } from "../format/snapshot.ts";

const CHUNK_BYTES = 256 * 1024;
const DISK_CHUNKS = 12;

/** Disks of 3 MiB: the second shares a third with the first, the third nothing with either. */
export const FIRST = noise(DISK_CHUNKS * CHUNK_BYTES, 1);
export const SECOND = Buffer.concat([
  FIRST.subarray(0, 4 * CHUNK_BYTES),
  noise((DISK_CHUNKS - 4) * CHUNK_BYTES, 2),
]);
export const THIRD = noise(DISK_CHUNKS * CHUNK_BYTES, 3);

/** A backup up to, and without, its restore point: that is what `finish` writes. */
export async function beginBackup(
  repository: Repository,
  disk: Buffer,
  time: string,
): Promise<{ finish(): Promise<Snapshot> }> {
  const layout = layoutWith(disk.length, CHUNK_BYTES);
  const writer = openWriter(repository, { bufferBytes: disk.length });
  const image = createImageWriter(writer, layout);
  const buffer = await writer.reserve();
  disk.copy(buffer.bytes);
  await image.put(buffer, 0, chunkCountOf(layout));
  const tree = await storeImageRoot(writer, [{ name: "sda", tree: await image.finish() }], time);
  await writer.finish();
  const snapshot = { time, tree, paths: ["/disks/sda"], hostname: "h", username: "u", tags: [] };
  return { finish: () => saveSnapshot(repository, snapshot) };
}

export async function backUp(repository: Repository, disk: Buffer, time: string): Promise<Snapshot> {
  await loadIndex(repository);
  return (await beginBackup(repository, disk, time)).finish();
}

export async function forget(repository: Repository, snapshot: Snapshot): Promise<void> {
  await repository.backend.remove({ kind: "snapshots", name: snapshot.id });
}

/** The disks of all restore points, oldest first, read by a repository that was opened anew. */
export async function readDisks(repository: Repository): Promise<readonly Buffer[]> {
  await loadIndex(repository);
  const disks: Buffer[] = [];
  for (const point of await listSnapshots(repository)) {
    const reader = openReader(repository, await openContent(repository, point));
    disks.push(await reader.read(0, reader.sizeBytes));
  }
  return disks;
}

export async function packNames(backend: Backend): Promise<readonly string[]> {
  return (await Array.fromAsync(backend.list("data"), ({ name }) => name)).toSorted();
}

export async function copyFiles(from: Backend, to: Backend): Promise<void> {
  await to.create();
  for (const kind of FILE_KINDS) {
    for await (const { name } of from.list(kind)) {
      await to.write({ kind, name }, [await from.read({ kind, name })]);
    }
  }
}
