/** Fills packs, stores them, and keeps the index one step behind: pack → index → snapshot is what makes a crash harmless. */

import { limiter, type Clock, systemClock } from "@mainstay/kit";
import { closeEnvelope } from "../format/envelope.ts";
import { indexToJson, type IndexedPack } from "../format/index-file.ts";
import type { ObjectId } from "../format/object-id.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { Repository } from "../repository/repository.ts";
import { PackBuilder } from "./pack-builder.ts";

/** Packs on their way to the backend; each holds its bytes in memory. */
const UPLOADS_AT_ONCE_MAX = 2;
/** An interrupted backup finds again what an index names: write one at least this often. */
const INDEX_EVERY_MS = 30_000;
/** restic's bound for one index file. */
const INDEX_BLOBS_MAX = 50_000;

export class PackWriter {
  readonly #repository: Repository;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #builders = new Map<BlobType, PackBuilder>();
  readonly #uploads = limiter(UPLOADS_AT_ONCE_MAX);
  readonly #uploading = new Set<Promise<void>>();
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

  /** Names packs that lie in the repository already but in no index. */
  adopt(pack: IndexedPack): void {
    for (const blob of pack.blobs) this.#repository.table.add(pack.id, blob);
    this.#noteUnindexed(pack);
  }

  /** Resolves when all that was added is durable and indexed. */
  async flush(): Promise<void> {
    for (const builder of this.#builders.values()) this.#upload(builder);
    this.#builders.clear();
    await Promise.all(this.#uploading);
    this.#throwIfFailed();
    await this.#writeIndex();
  }

  /** After a failure or an interrupt: indexes what is durable, so that the next run need not send it again. Never rejects. */
  async salvage(): Promise<void> {
    await Promise.allSettled(this.#uploading);
    await this.#writeIndex().catch(() => undefined);
  }

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
    const { id, parts, blobs, sizeBytes } = builder.finish();
    await this.#repository.backend.write({ kind: "data", name: id }, parts, this.#signal);
    this.#storedBytes += sizeBytes;
    this.#packs += 1;
    for (const blob of blobs) this.#repository.table.add(id, blob);
    this.#noteUnindexed({ id, blobs });
    const due = this.#clock.monotonicMs() - this.#indexedAtMs >= INDEX_EVERY_MS;
    if (due || this.#unindexedBlobs >= INDEX_BLOBS_MAX) await this.#writeIndex();
  }

  #noteUnindexed(pack: IndexedPack): void {
    this.#unindexed.push(pack);
    this.#unindexedBlobs += pack.blobs.length;
  }

  async #writeIndex(): Promise<void> {
    if (this.#unindexed.length === 0) return;
    const packs = this.#unindexed;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#indexedAtMs = this.#clock.monotonicMs();
    const { key, config, backend } = this.#repository;
    const { id, sealed } = closeEnvelope(key, config.version, indexToJson(packs));
    try {
      // Without the caller's signal: an interrupt must not throw away the record of what is stored.
      await backend.write({ kind: "index", name: id }, [sealed]);
    } catch (cause) {
      this.#unindexed.unshift(...packs);
      throw cause;
    }
    this.#storedBytes += sealed.length;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    this.#signal?.throwIfAborted();
  }
}
