/** Fills packs, stores them, and keeps the index one step behind: pack → index → snapshot is what makes a crash harmless. */

import { limiter, type Clock, systemClock } from "@mainstay/kit";
import type { IndexedPack } from "../format/index-file.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import { INDEX_BLOBS_MAX, writeIndexes } from "../index/write-index.ts";
import type { Repository } from "../repository/repository.ts";
import { PackBuilder } from "./pack-builder.ts";

/** Packs on their way to the backend; each holds its bytes in memory. */
const UPLOADS_AT_ONCE_MAX = 2;
/** An interrupted backup finds again what an index names: write one at least this often. */
const INDEX_EVERY_MS = 30_000;
/** After an interrupt nobody waits longer than this for the last index; without it packs are found by their headers. */
const SALVAGE_MS_MAX = 15_000;

/**
 * One per backup. The repository's table learns of a blob only when a durable index names it: were the backup to fail before,
 * the next one on the same open repository must not build on packs that no index knows.
 */
export class PackWriter {
  readonly #repository: Repository;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #builders = new Map<BlobType, PackBuilder>();
  readonly #uploads = limiter(UPLOADS_AT_ONCE_MAX);
  readonly #uploading = new Set<Promise<void>>();
  /** Blobs of this backup that no durable index names yet, so that a twin is not stored again. */
  readonly #claimed = new Set<string>();
  #unindexed: IndexedPack[] = [];
  #unindexedBlobs = 0;
  #indexedAtMs: number;
  #failure: { readonly cause: unknown } | undefined;
  #storedBytes = 0;
  #packs = 0;

  constructor(repository: Repository, signal?: AbortSignal, clock: Clock = systemClock) {
    this.#repository = repository;
    this.#signal = signal;
    this.#clock = clock;
    this.#indexedAtMs = clock.monotonicMs();
  }

  /** Bytes of packs and indexes that are durable now. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  get packs(): number {
    return this.#packs;
  }

  /** Whether the blob is in neither the repository nor this backup; then the caller must `add` it. */
  claim(id: ObjectId, type: BlobType): boolean {
    const key = claimKey(id, type);
    if (this.#claimed.has(key) || this.#repository.table.has(id, type)) return false;
    this.#claimed.add(key);
    return true;
  }

  /** Takes a sealed blob. Waits while too many packs are on their way. Rejects once any pack could not be stored. */
  async add(id: ObjectId, type: BlobType, sealed: Uint8Array, rawLength: number): Promise<void> {
    this.#throwIfFailed();
    let builder = this.#builders.get(type);
    if (builder === undefined) {
      builder = new PackBuilder(this.#repository.key);
      this.#builders.set(type, builder);
    }
    builder.add(id, type, sealed, rawLength);
    if (!builder.isFull) return;
    this.#builders.delete(type);
    this.#upload(builder);
    while (this.#uploading.size >= UPLOADS_AT_ONCE_MAX) await Promise.race(this.#uploading);
    this.#throwIfFailed();
  }

  /** Names a pack that lies in the repository already but in no index. */
  adopt(pack: IndexedPack): void {
    for (const { id, type } of pack.blobs) this.#claimed.add(claimKey(id, type));
    this.#noteUnindexed(pack);
  }

  /** Resolves when all that was added is durable and indexed. */
  async flush(): Promise<void> {
    for (const builder of this.#builders.values()) this.#upload(builder);
    this.#builders.clear();
    await Promise.all(this.#uploading);
    this.#throwIfFailed();
    await this.#writeIndex(this.#signal);
  }

  /** After a failure or an interrupt: indexes what is durable, so that the next run need not send it again. Never rejects. */
  async salvage(): Promise<void> {
    this.#failure ??= { cause: new Error("the backup was abandoned") };
    this.#builders.clear();
    await Promise.all(this.#uploading);
    await this.#writeIndex(AbortSignal.timeout(SALVAGE_MS_MAX)).catch(() => undefined);
  }

  /** The promises in `#uploading` never reject: a failure is kept, and thrown where somebody waits. */
  #upload(builder: PackBuilder): void {
    const upload = this.#uploads
      .run(() => this.#store(builder))
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => this.#uploading.delete(upload));
    this.#uploading.add(upload);
  }

  async #store(builder: PackBuilder): Promise<void> {
    this.#throwIfFailed();
    const { id, parts, blobs, sizeBytes } = builder.finish();
    await this.#repository.backend.write({ kind: "data", name: id }, parts, this.#signal);
    this.#storedBytes += sizeBytes;
    this.#packs += 1;
    this.#noteUnindexed({ id, blobs });
    const due = this.#clock.monotonicMs() - this.#indexedAtMs >= INDEX_EVERY_MS;
    // Without the signal: an interrupt must not throw away the record of what is stored.
    if (due || this.#unindexedBlobs >= INDEX_BLOBS_MAX) await this.#writeIndex();
  }

  #noteUnindexed(pack: IndexedPack): void {
    this.#unindexed.push(pack);
    this.#unindexedBlobs += pack.blobs.length;
  }

  async #writeIndex(signal?: AbortSignal): Promise<void> {
    const packs = this.#unindexed;
    if (packs.length === 0) return;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#indexedAtMs = this.#clock.monotonicMs();
    try {
      this.#storedBytes += (await writeIndexes(this.#repository, packs, signal)).storedBytes;
    } catch (cause) {
      for (const pack of packs) this.#noteUnindexed(pack);
      throw cause;
    }
    for (const { id, blobs } of packs) {
      for (const blob of blobs) {
        this.#repository.table.add(id, blob);
        this.#claimed.delete(claimKey(blob.id, blob.type));
      }
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    this.#signal?.throwIfAborted();
  }
}

function claimKey(id: ObjectId, type: BlobType): string {
  return type + id;
}
