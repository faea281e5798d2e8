/**
 * Disks of a running QEMU machine: all at one moment, of each only the blocks written since the parent restore point.
 *
 * The moment's name is a tag of the restore point and the name of the bitmap that counts from it. What the machine's bitmaps
 * cannot tell for sure is read whole.
 */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { must } from "@mainstay/kit";
import { connectNbd } from "@mainstay/nbd";
import {
  bitmapContext,
  connectQmp,
  reconcileBitmaps,
  takeMoment,
  type Moment,
  type MomentDisk,
} from "@mainstay/qemu";
import { layoutFor, type Snapshot } from "@mainstay/vault";
import type { DiskSource } from "./disk-source.ts";
import type { CapturedDisk, CaptureOptions, ImageCapture } from "./image-capture.ts";
import type { ImageSource } from "./image-source.ts";
import { changedNbdSource, wholeNbdSource } from "./nbd-source.ts";

type RunningDisk = Extract<DiskSource, { kind: "qemu" }>;

const MOMENT_TAG = "moment:";

/** Errors: `qemu.*` (no such machine or disk), `nbd.*`. */
export async function openMachineCapture(
  qmpSocket: string,
  disks: readonly RunningDisk[],
  options: CaptureOptions,
): Promise<ImageCapture> {
  await using stack = new AsyncDisposableStack();
  const qmp = stack.adopt(await connectQmp(qmpSocket), (connection) => connection.close());
  const parentPoint = momentOf(options.parent);
  for (const { node } of disks) await reconcileBitmaps(qmp, node, parentPoint);
  const folder = await mkdtemp(join(options.workDirectory, "moment-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const point = randomUUID();
  const moment = await takeMoment(qmp, {
    disks: disks.map(({ node }) => node),
    directory: folder,
    socketPath: join(folder, "nbd.sock"),
    parentPoint,
    point,
    granularityBytes: granularityOf,
  });
  let settled = false;
  stack.defer(() => (settled ? moment.commit() : moment.abandon()));
  const captured: CapturedDisk[] = [];
  for (const [index, disk] of disks.entries()) {
    captured.push({
      name: disk.name,
      source: await openSource(stack, moment, must(moment.disks[index], "a moment has every disk asked for")),
    });
  }
  const held = stack.move();
  return {
    disks: captured,
    tags: [`${MOMENT_TAG}${point}`],
    settle: async () => {
      settled = true;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Blocks as large as chunks: a chunk is read whole or not at all. */
function granularityOf(sizeBytes: number): number {
  return layoutFor(sizeBytes).chunkBytes;
}

function momentOf(parent: Snapshot | undefined): string | undefined {
  return parent?.tags.find((tag) => tag.startsWith(MOMENT_TAG))?.slice(MOMENT_TAG.length);
}

async function openSource(
  stack: AsyncDisposableStack,
  moment: Moment,
  disk: MomentDisk,
): Promise<ImageSource> {
  const context = disk.changes.state === "known" ? bitmapContext(disk.changes.bitmap) : undefined;
  const client = stack.use(
    await connectNbd({
      path: moment.socketPath,
      exportName: disk.exportName,
      metaContexts: ["base:allocation", ...(context === undefined ? [] : [context])],
    }),
  );
  return context === undefined ? wholeNbdSource(client) : changedNbdSource(client, context);
}
