/** What every backend must do, as tests; each implementation runs them all. */

import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { vaultErrors } from "../errors.ts";
import { FILE_KINDS, type Backend, type FileKind, type FileRef } from "./backend.ts";

export type BackendUnderTest = {
  readonly backend: Backend;
  /** Another one for the same place, as another process would have. */
  readonly reopen: () => Backend;
  readonly dispose: () => Promise<void>;
};

const CONFIG: FileRef = { kind: "config", name: "" };

/** Declares the tests. `open` gives an empty place in which nothing was created yet. */
export function describeBackendContract(title: string, open: () => Promise<BackendUnderTest>): void {
  describe(`${title} as a backend`, () => {
    let place: BackendUnderTest;
    let backend: Backend;
    beforeEach(async () => {
      place = await open();
      backend = place.backend;
      await backend.create();
    });
    afterEach(async () => {
      await backend.close();
      await place.dispose();
    });
    const context = (): Context => ({ backend, reopen: place.reopen });
    describeFiles(context);
    describeListing(context);
    describeFailures(context);
  });
}

type Context = { readonly backend: Backend; readonly reopen: () => Backend };

function describeFiles(context: () => Context): void {
  test("may be created again, which keeps what is there", async () => {
    const { backend } = context();
    const { file, bytes } = content("keys", 100);
    await backend.write(file, [bytes]);
    await backend.create();
    expect(Buffer.from(await backend.read(file))).toEqual(bytes);
  });

  test.each(FILE_KINDS)("keeps a file of kind %s, made of several parts", async (kind) => {
    const { backend, reopen } = context();
    const { file, bytes } = content(kind, 70_001);
    await backend.write(file, [bytes.subarray(0, 1), new Uint8Array(), bytes.subarray(1)]);
    expect(await backend.stat(file)).toBe(70_001);
    const other = reopen();
    expect(Buffer.from(await other.read(file))).toEqual(bytes);
    await other.close();
  });

  test("keeps a file of several MiB, and many parts", async () => {
    const { backend } = context();
    const { file, bytes } = content("data", 5_000_000);
    const parts = Array.from({ length: 2500 }, (_, at) => bytes.subarray(at * 2000, (at + 1) * 2000));
    await backend.write(file, parts);
    expect(Buffer.from(await backend.read(file)).equals(bytes)).toBe(true);
  });

  test("keeps an empty file", async () => {
    const { backend } = context();
    const { file } = content("locks", 0);
    await backend.write(file, []);
    expect(await backend.stat(file)).toBe(0);
    expect(await backend.read(file)).toHaveLength(0);
  });

  test("reads any range, also an empty one and one up to the end", async () => {
    const { backend } = context();
    const { file, bytes } = content("data", 10_000);
    await backend.write(file, [bytes]);
    for (const [offset, length] of [
      [0, 1],
      [9999, 1],
      [1234, 5678],
      [0, 10_000],
      [500, 0],
      [10_000, 0],
    ] as const) {
      const found = await backend.read(file, { offset, length });
      expect(Buffer.from(found), `${offset}+${length}`).toEqual(bytes.subarray(offset, offset + length));
    }
  });

  test("gives bytes that belong to the reader, and keeps none of the writer's", async () => {
    const { backend } = context();
    const { file, bytes } = content("index", 1000);
    const given = Buffer.from(bytes);
    await backend.write(file, [given]);
    given.fill(0);
    (await backend.read(file)).fill(1);
    const range = await backend.read(file, { offset: 0, length: 10 });
    range.fill(2);
    expect(Buffer.from(await backend.read(file))).toEqual(bytes);
    expect(range.buffer.byteLength, "no memory shared with others").toBe(10);
  });

  test("takes the same content again, as after a lost answer, also from several at once", async () => {
    const { backend } = context();
    const { file, bytes } = content("data", 100_000);
    await backend.write(file, [bytes]);
    await backend.write(file, [bytes.subarray(0, 7), bytes.subarray(7)]);
    const another = content("data", 100_000);
    await Promise.all(Array.from({ length: 4 }, () => backend.write(another.file, [another.bytes])));
    expect(Buffer.from(await backend.read(another.file)).equals(another.bytes)).toBe(true);
    expect(await Array.fromAsync(backend.list("data"))).toHaveLength(2);
  });

  test("removes a file, and does not mind if it is gone", async () => {
    const { backend } = context();
    const { file, bytes } = content("snapshots", 100);
    await backend.write(file, [bytes]);
    await backend.remove(file);
    await backend.remove(file);
    expect(await backend.stat(file)).toBeUndefined();
    expect(await Array.fromAsync(backend.list("snapshots"))).toEqual([]);
  });
}

function describeListing(context: () => Context): void {
  test("lists each kind on its own, with sizes", async () => {
    const { backend } = context();
    const made = FILE_KINDS.map((kind, at) => content(kind, 100 + at));
    for (const { file, bytes } of made) await backend.write(file, [bytes]);
    for (const { file, bytes } of made) {
      const found = await Array.fromAsync(backend.list(file.kind));
      expect(found, file.kind).toEqual([{ name: file.name, sizeBytes: bytes.length }]);
    }
  });

  test("lists a hundred files, all of them once", async () => {
    const { backend } = context();
    const made = Array.from({ length: 100 }, (_, at) => content("data", at));
    await Promise.all(made.map(({ file, bytes }) => backend.write(file, [bytes])));
    const found = await Array.fromAsync(backend.list("data"));
    expect(found.map(({ name }) => name).sort()).toEqual(made.map(({ file }) => file.name).sort());
    const sizes = new Map(found.map(({ name, sizeBytes }) => [name, sizeBytes]));
    for (const { file, bytes } of made) expect(sizes.get(file.name)).toBe(bytes.length);
  });

  test("lists nothing where nothing is", async () => {
    const { backend } = context();
    for (const kind of FILE_KINDS.filter((each) => each !== "config")) {
      expect(await Array.fromAsync(backend.list(kind))).toEqual([]);
    }
  });
}

function describeFailures(context: () => Context): void {
  test("says that a file is missing", async () => {
    const { backend } = context();
    const { file } = content("data", 10);
    expect(await backend.stat(file)).toBeUndefined();
    await expect(backend.read(file)).rejects.toSatisfy(isFailure("file-missing"));
    await expect(backend.read(file, { offset: 1, length: 2 })).rejects.toSatisfy(isFailure("file-missing"));
  });

  test("says that a file is shorter than the range", async () => {
    const { backend } = context();
    const { file, bytes } = content("data", 1000);
    await backend.write(file, [bytes]);
    for (const range of [
      { offset: 999, length: 2 },
      { offset: 1000, length: 1 },
      { offset: 5000, length: 10 },
    ]) {
      await expect(backend.read(file, range)).rejects.toSatisfy(isFailure("file-truncated"));
    }
  });

  test("never replaces a file by another", async () => {
    const { backend } = context();
    const [first, second] = [randomBytes(200), randomBytes(200)];
    await backend.write(CONFIG, [first]);
    await expect(backend.write(CONFIG, [second])).rejects.toSatisfy(isFailure("file-exists"));
    await expect(backend.write(CONFIG, [first.subarray(1)])).rejects.toSatisfy(isFailure("file-exists"));
    await backend.write(CONFIG, [first]);
    expect(Buffer.from(await backend.read(CONFIG))).toEqual(first);
  });

  test("stops when told before it begins", async () => {
    const { backend } = context();
    const { file, bytes } = content("data", 10);
    const signal = AbortSignal.abort();
    await expect(backend.write(file, [bytes], signal)).rejects.toThrow(/abort/i);
    expect(await backend.stat(file)).toBeUndefined();
    await backend.write(file, [bytes]);
    await expect(backend.read(file, undefined, signal)).rejects.toThrow(/abort/i);
    await expect(Array.fromAsync(backend.list("data", signal))).rejects.toThrow(/abort/i);
  });
}

/** Random content with the name that it has in a repository. */
function content(kind: FileKind, sizeBytes: number): { readonly file: FileRef; readonly bytes: Buffer } {
  const bytes = randomBytes(sizeBytes);
  const name = kind === "config" ? "" : createHash("sha256").update(bytes).digest("hex");
  return { file: { kind, name }, bytes };
}

function isFailure(name: Parameters<typeof vaultErrors.is>[1]): (cause: unknown) => boolean {
  return (cause) => vaultErrors.is(cause, name);
}
