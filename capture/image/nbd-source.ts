/** A disk behind an NBD server as a source. */

import { ALLOCATION_CONTEXT, appendExtent, DIRTY, type Extent, type NbdClient } from "@mainstay/nbd";
import type { ImageSource } from "./image-source.ts";

/** Reads of this size keep several under way in one buffer's worth. */
const READ_BYTES = 1024 * 1024;

/** All of the disk; its holes are told by the server. The client stays the caller's. */
export async function wholeNbdSource(client: NbdClient): Promise<ImageSource> {
  return nbdSource(client, "whole", await client.extents(0, client.sizeBytes));
}

/** Only what `context` calls dirty, and of that only what holds data is read. The client stays the caller's. */
export async function changedNbdSource(client: NbdClient, context: string): Promise<ImageSource> {
  const statuses = await client.blockStatus(0, client.sizeBytes, context);
  const extents: Extent[] = [];
  for (const { offset, length, flags } of statuses) {
    if ((flags & DIRTY) === 0) continue;
    // A trimmed block is dirty too, and zeros need not be read.
    const allocated = client.contexts.includes(ALLOCATION_CONTEXT)
      ? await client.extents(offset, length)
      : [{ offset, length, kind: "data" } as const];
    for (const extent of allocated) appendExtent(extents, extent);
  }
  return nbdSource(client, "changes", extents);
}

function nbdSource(
  client: NbdClient,
  coverage: ImageSource["coverage"],
  extents: readonly Extent[],
): ImageSource {
  return {
    sizeBytes: client.sizeBytes,
    coverage,
    extents,
    wholeExtents: () => client.extents(0, client.sizeBytes),
    readInto: async (target, offset) => {
      const reads: Promise<void>[] = [];
      for (let at = 0; at < target.length; at += READ_BYTES) {
        const length = Math.min(READ_BYTES, target.length - at);
        reads.push(client.read(offset + at, length).then((bytes) => target.set(bytes, at)));
      }
      // All have ended before the caller may use the buffer for something else.
      const failed = (await Promise.allSettled(reads)).find((read) => read.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
