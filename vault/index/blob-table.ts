/**
 * Where each blob lies, for millions of blobs: an open-addressing hash table in typed arrays, about 60 bytes a blob.
 * JavaScript objects would take ten times that and stop the process to collect them.
 */

import { must } from "@mainstay/kit";
import { SEAL_OVERHEAD_BYTES } from "../crypto/seal.ts";
import { ID_BYTES, idFromBytes, type ObjectId } from "../format/object-id.ts";
import type { BlobType, PackedBlob } from "../format/pack-header.ts";

export type BlobPlace = PackedBlob & { readonly pack: ObjectId };

const FIRST_CAPACITY = 1024;
/** Columns of the field table. */
const FIELDS = 6;
const PACK = 0;
const OFFSET = 1;
const LENGTH = 2;
const RAW_LENGTH = 3;
const TYPE = 4;
const NEXT = 5;

const TYPES: readonly BlobType[] = ["data", "tree"];

export class BlobTable {
  #count = 0;
  #ids = new Uint8Array(FIRST_CAPACITY * ID_BYTES);
  /** Per blob: pack number, offset, length, raw length, type, next place of the same blob + 1. */
  #fields = new Uint32Array(FIRST_CAPACITY * FIELDS);
  /** Hash slot → blob number + 1. */
  #slots = new Uint32Array(FIRST_CAPACITY * 2);
  #packs: ObjectId[] = [];
  #packNumbers = new Map<ObjectId, number>();
  readonly #wanted = Buffer.allocUnsafe(ID_BYTES);

  /** Packs that a prune took out of the index and the next one removes: see `maintenance/trash.ts`. */
  readonly trash = new Set<ObjectId>();

  /** Places, not blobs: a blob that lies in two packs counts twice. */
  get size(): number {
    return this.#count;
  }

  get packs(): readonly ObjectId[] {
    return this.#packs;
  }

  /** Whether the pack is named by the index. */
  hasPack(pack: ObjectId): boolean {
    return this.#packNumbers.has(pack);
  }

  /** Adds one place of a blob. The same place twice is kept once. */
  add(pack: ObjectId, blob: PackedBlob): void {
    const type = TYPES.indexOf(blob.type);
    const first = this.#find(blob.id, type);
    const packNumber = this.#packNumber(pack);
    for (let at = first; at !== 0; at = this.#field(at - 1, NEXT)) {
      if (this.#field(at - 1, PACK) === packNumber && this.#field(at - 1, OFFSET) === blob.offset) return;
    }
    this.#grow();
    const number = this.#count;
    this.#count += 1;
    this.#ids.set(this.#wanted, number * ID_BYTES);
    this.#fields.set([packNumber, blob.offset, blob.length, blob.rawLength, type, 0], number * FIELDS);
    if (first === 0) this.#insert(number);
    else this.#fields[this.#last(first - 1) * FIELDS + NEXT] = number + 1;
  }

  /** Forgets all that lies in the packs, as when they turn out to be gone. As slow as filling the table anew. */
  forgetPacks(gone: ReadonlySet<ObjectId>): void {
    const kept = new BlobTable();
    for (const place of this.entries()) if (!gone.has(place.pack)) kept.add(place.pack, place);
    this.#count = kept.#count;
    this.#ids = kept.#ids;
    this.#fields = kept.#fields;
    this.#slots = kept.#slots;
    this.#packs = kept.#packs;
    this.#packNumbers = kept.#packNumbers;
  }

  has(id: ObjectId, type: BlobType): boolean {
    return this.#find(id, TYPES.indexOf(type)) !== 0;
  }

  /** Where the blob's first place stands in {@link entries}; marks of millions of blobs then are an array of bytes. */
  numberOf(id: ObjectId, type: BlobType): number | undefined {
    const found = this.#find(id, TYPES.indexOf(type));
    return found === 0 ? undefined : found - 1;
  }

  /** Where this very place stands in {@link entries}. */
  numberOfPlace({
    id,
    type,
    pack,
    offset,
  }: Pick<BlobPlace, "id" | "type" | "pack" | "offset">): number | undefined {
    const packNumber = this.#packNumbers.get(pack);
    for (let at = this.#find(id, TYPES.indexOf(type)); at !== 0; at = this.#field(at - 1, NEXT)) {
      if (this.#field(at - 1, PACK) === packNumber && this.#field(at - 1, OFFSET) === offset) return at - 1;
    }
    return undefined;
  }

  /** The first place of the blob. */
  get(id: ObjectId, type: BlobType): BlobPlace | undefined {
    const found = this.#find(id, TYPES.indexOf(type));
    return found === 0 ? undefined : this.#place(found - 1);
  }

  /** Every place of the blob; one that is damaged has perhaps a whole twin. */
  places(id: ObjectId, type: BlobType): BlobPlace[] {
    const places: BlobPlace[] = [];
    for (let at = this.#find(id, TYPES.indexOf(type)); at !== 0; at = this.#field(at - 1, NEXT)) {
      places.push(this.#place(at - 1));
    }
    return places;
  }

  /** How long the plaintext is, without making an object; `undefined` if the blob is unknown. */
  plainLength(id: ObjectId, type: BlobType): number | undefined {
    const found = this.#find(id, TYPES.indexOf(type));
    if (found === 0) return undefined;
    const rawLength = this.#field(found - 1, RAW_LENGTH);
    return rawLength === 0 ? this.#field(found - 1, LENGTH) - SEAL_OVERHEAD_BYTES : rawLength;
  }

  *entries(): IterableIterator<BlobPlace> {
    for (let number = 0; number < this.#count; number += 1) yield this.#place(number);
  }

  #place(number: number): BlobPlace {
    return {
      id: idFromBytes(this.#ids, number * ID_BYTES),
      type: must(TYPES[this.#field(number, TYPE)], "only known types are added"),
      pack: must(this.#packs[this.#field(number, PACK)], "a place names a known pack"),
      offset: this.#field(number, OFFSET),
      length: this.#field(number, LENGTH),
      rawLength: this.#field(number, RAW_LENGTH),
    };
  }

  /** Number + 1 of the first place, or 0. Leaves the id's bytes in `#wanted`. */
  #find(id: ObjectId, type: number): number {
    this.#wanted.write(id, "hex");
    const mask = this.#slots.length - 1;
    for (let slot = this.#wanted.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) return 0;
      if (this.#field(found - 1, TYPE) === type && this.#isWanted(found - 1)) return found;
    }
  }

  #isWanted(number: number): boolean {
    const start = number * ID_BYTES;
    for (let byte = 0; byte < ID_BYTES; byte += 1) {
      if (this.#ids[start + byte] !== this.#wanted[byte]) return false;
    }
    return true;
  }

  #insert(number: number): void {
    const mask = this.#slots.length - 1;
    const start = number * ID_BYTES;
    let slot = new DataView(this.#ids.buffer).getUint32(start, true) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }

  #last(number: number): number {
    let last = number;
    for (let next = this.#field(last, NEXT); next !== 0; next = this.#field(last, NEXT)) last = next - 1;
    return last;
  }

  #grow(): void {
    const capacity = this.#ids.length / ID_BYTES;
    if (this.#count < capacity) return;
    this.#ids = enlarged(this.#ids, new Uint8Array(this.#ids.length * 2));
    this.#fields = enlarged(this.#fields, new Uint32Array(this.#fields.length * 2));
    const heads = this.#slots.filter((slot) => slot !== 0);
    this.#slots = new Uint32Array(capacity * 4);
    for (const head of heads) this.#insert(head - 1);
  }

  #packNumber(pack: ObjectId): number {
    const known = this.#packNumbers.get(pack);
    if (known !== undefined) return known;
    const number = this.#packs.length;
    this.#packs.push(pack);
    this.#packNumbers.set(pack, number);
    return number;
  }

  #field(number: number, field: number): number {
    return this.#fields[number * FIELDS + field] ?? 0;
  }
}

function enlarged<Values extends Uint8Array | Uint32Array>(from: Values, to: Values): Values {
  to.set(from);
  return to;
}
