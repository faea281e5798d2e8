/** Every kind of damage: a full check finds it, the error names the object and the way out, and what is whole stays readable. */

import { createHash } from "node:crypto";
import { chmod, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MainstayError } from "@mainstay/kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seal } from "../crypto/seal.ts";
import { openContent } from "../content/content-map.ts";
import { openReader } from "../content/content-reader.ts";
import { createImageWriter, storeImageRoot } from "../image/image-writer.ts";
import { layoutWith } from "../image/layout.ts";
import { loadIndex } from "../index/load-index.ts";
import { openWriter } from "../repository/blob-writer.ts";
import { openRepository } from "../repository/open.ts";
import type { Repository } from "../repository/repository.ts";
import { findSnapshot, saveSnapshot } from "../repository/snapshots.ts";
import {
  createTestFolder,
  createTestRepository,
  diskOf,
  noise,
  reopen,
  TEST_PASSWORD,
  type TestFolder,
} from "../test-repository.ts";
import { checkRepository } from "./check-repository.ts";

const CHUNK = 4096;
const CHUNKS = 20;
const DISK = noise(CHUNK * CHUNKS, 3);

let work: TestFolder;
beforeAll(async () => {
  work = await createTestFolder();
  await using repository = await createTestRepository(diskOf(join(work.path, "whole")));
  const writer = openWriter(repository, { bufferBytes: DISK.length });
  const image = createImageWriter(writer, layoutWith(DISK.length, CHUNK));
  const buffer = await writer.reserve();
  DISK.copy(buffer.bytes);
  await image.put(buffer, 0, CHUNKS);
  const time = "2026-01-01T00:00:00Z";
  const tree = await storeImageRoot(writer, [{ name: "sda", tree: await image.finish() }], time);
  await writer.finish();
  await saveSnapshot(repository, {
    time,
    tree,
    paths: ["/disks/sda"],
    hostname: "h",
    username: "u",
    tags: [],
  });
});
afterAll(() => work[Symbol.asyncDispose]());

type Part = "data" | "trees" | "index" | "snapshots" | "keys" | "config";

/** The only file of its kind; of the two packs the large one holds data. */
async function fileOf(folder: string, part: Part): Promise<string> {
  if (part === "config") return join(folder, "config");
  if (part !== "data" && part !== "trees") {
    const [name] = await readdir(join(folder, part));
    return join(folder, part, name ?? "");
  }
  const names = await readdir(join(folder, "data"), { recursive: true });
  const packs = names.filter((name) => /[0-9a-f]{64}$/.test(name)).map((name) => join(folder, "data", name));
  const sized = await Promise.all(
    packs.map(async (path) => ({ path, sizeBytes: (await readFile(path)).length })),
  );
  sized.sort((left, right) => right.sizeBytes - left.sizeBytes);
  return (part === "data" ? sized[0] : sized[1])?.path ?? "";
}

/** Flips a bit of the byte at `at`, counted from the end if negative. */
function flip(part: Part, at: number) {
  return async (folder: string): Promise<void> => {
    const path = await fileOf(folder, part);
    const bytes = await readFile(path);
    const index = at < 0 ? bytes.length + at : at;
    bytes[index] = (bytes[index] ?? 0) ^ 0x10;
    await chmod(path, 0o600);
    await writeFile(path, bytes);
  };
}

function cut(part: Part, keptShare: number) {
  return async (folder: string): Promise<void> => {
    const path = await fileOf(folder, part);
    await chmod(path, 0o600);
    await truncate(path, Math.floor((await readFile(path)).length * keptShare));
  };
}

function lose(part: Part) {
  return async (folder: string): Promise<void> => rm(await fileOf(folder, part));
}

/** The right name, the right key, another config: a format that nobody has thought of yet. */
async function makeForeign(folder: string): Promise<void> {
  await using repository = await reopen(diskOf(folder));
  const config = {
    version: 3,
    id: repository.config.id,
    chunker_polynomial: repository.config.polynomial.toString(16),
  };
  await rename(join(folder, "config"), join(folder, "config.old"));
  await writeFile(join(folder, "config"), seal(repository.key, Buffer.from(JSON.stringify(config))));
}

type Case = {
  readonly what: string;
  readonly damage: (folder: string) => Promise<void>;
  /** How reading ends: at which step, with which error. */
  readonly fails?: { readonly at: "open" | "read"; readonly code: string; readonly names: RegExp };
  /** What a full check calls it; absent if the repository does not even open. */
  readonly finding?: string;
};

const CASES: readonly Case[] = [
  {
    what: "a flipped bit in a blob",
    damage: flip("data", 5000),
    fails: { at: "read", code: "vault.damaged-blob", names: /blob [0-9a-f]{8} in pack [0-9a-f]{8}.*replica/ },
    finding: "blob-damaged",
  },
  {
    what: "a flipped bit in a blob's IV",
    damage: flip("data", 0),
    fails: { at: "read", code: "vault.damaged-blob", names: /blob [0-9a-f]{8} in pack/ },
    finding: "blob-damaged",
  },
  {
    what: "a flipped bit in a tree",
    damage: flip("trees", 40),
    fails: { at: "read", code: "vault.damaged-blob", names: /blob [0-9a-f]{8} in pack/ },
    finding: "tree-damaged",
  },
  { what: "a flipped bit in a pack's header", damage: flip("data", -30), finding: "pack-damaged" },
  { what: "a flipped bit in a header's length", damage: flip("data", -3), finding: "pack-damaged" },
  {
    what: "a truncated pack",
    damage: cut("data", 0.5),
    fails: { at: "read", code: "vault.file-truncated", names: /data\/.*check --read-data/ },
    finding: "pack-truncated",
  },
  {
    what: "an empty pack",
    damage: cut("data", 0),
    fails: { at: "read", code: "vault.file-truncated", names: /data\// },
    finding: "pack-truncated",
  },
  {
    what: "a missing pack of data",
    damage: lose("data"),
    fails: { at: "read", code: "vault.file-missing", names: /data\/.*vault check/ },
    finding: "pack-missing",
  },
  {
    what: "a missing pack of trees",
    damage: lose("trees"),
    fails: { at: "read", code: "vault.file-missing", names: /data\// },
    finding: "pack-missing",
  },
  {
    what: "a missing index",
    damage: lose("index"),
    fails: { at: "read", code: "vault.missing-blob", names: /tree blob [0-9a-f]{8}.*repair-index/ },
    finding: "blob-missing",
  },
  {
    what: "a flipped bit in the index",
    damage: flip("index", 50),
    fails: { at: "read", code: "vault.damaged-file", names: /index\/[0-9a-f]{8}/ },
    finding: "index-damaged",
  },
  {
    what: "a truncated index",
    damage: cut("index", 0.5),
    fails: { at: "read", code: "vault.damaged-file", names: /index\/[0-9a-f]{8}/ },
    finding: "index-damaged",
  },
  {
    what: "a flipped bit in the restore point",
    damage: flip("snapshots", 50),
    fails: { at: "read", code: "vault.damaged-file", names: /snapshots\/[0-9a-f]{8}/ },
    finding: "snapshot-damaged",
  },
  {
    what: "an empty restore point",
    damage: cut("snapshots", 0),
    fails: { at: "read", code: "vault.damaged-file", names: /snapshots\/[0-9a-f]{8}/ },
    finding: "snapshot-damaged",
  },
  {
    what: "a flipped bit in the key's salt",
    damage: flip("keys", -150),
    fails: { at: "open", code: "vault.damaged-file", names: /keys\/[0-9a-f]{8}.*replica/ },
  },
  {
    what: "a truncated key",
    damage: cut("keys", 0.5),
    fails: { at: "open", code: "vault.damaged-file", names: /keys\/[0-9a-f]{8}/ },
  },
  {
    what: "no key",
    damage: lose("keys"),
    fails: { at: "open", code: "vault.damaged-file", names: /no key file.*replica/ },
  },
  {
    what: "a flipped bit in the config",
    damage: flip("config", 20),
    fails: { at: "open", code: "vault.damaged-file", names: /config/ },
  },
  {
    what: "an empty config",
    damage: cut("config", 0),
    fails: { at: "open", code: "vault.damaged-file", names: /config/ },
  },
  {
    what: "no config",
    damage: lose("config"),
    fails: { at: "open", code: "vault.not-a-repository", names: /vault init/ },
  },
  {
    what: "a foreign version",
    damage: makeForeign,
    fails: { at: "open", code: "vault.foreign-version", names: /version 3, wanted 1 or 2; use a newer/ },
  },
];

test.each(CASES)("$what is told, and found by a full check", async ({ what, damage, fails, finding }) => {
  const name = createHash("sha256").update(what).digest("hex").slice(0, 12);
  const folder = await work.copy("whole", name);
  await damage(folder);
  let repository: Repository;
  try {
    repository = await reopen(diskOf(folder));
  } catch (cause) {
    expect(fails?.at, String(cause)).toBe("open");
    return expectError(cause, fails);
  }
  await using _ = repository;
  const report = await checkRepository(repository, { readData: true });
  expect(report.errors).toBeGreaterThan(0);
  expect(report.findings.map(({ kind }) => kind)).toContain(finding);
  await using fresh = await reopen(diskOf(folder));
  const { failure, read } = await readChunks(fresh);
  if (fails === undefined) expect(failure).toBeUndefined();
  else expectError(failure, fails);
  // One bad byte costs one chunk; of the rest every byte is right.
  if (finding === "blob-damaged") expect(read).toBe(CHUNKS - 1);
  if (finding === "pack-damaged") expect(read).toBe(CHUNKS);
});

test("a whole repository gives no finding at all", async () => {
  await using repository = await reopen(diskOf(join(work.path, "whole")));
  expect((await checkRepository(repository, { readData: true })).findings).toEqual([]);
});

test("a damaged second key is found, and does not keep the first one's password out", async () => {
  const folder = await work.copy("whole", "two-keys");
  const { addKey } = await import("../repository/open.ts");
  {
    await using repository = await reopen(diskOf(folder));
    await addKey(repository, "another password", { N: 2, r: 1, p: 1 });
  }
  const [first, second] = await readdir(join(folder, "keys"));
  for (const name of [first ?? "", second ?? ""]) {
    const path = join(folder, "keys", name);
    const bytes = await readFile(path);
    const changed = Buffer.from(bytes);
    changed[changed.length - 150] = (changed.at(-150) ?? 0) ^ 1;
    await chmod(path, 0o600);
    await writeFile(path, changed);
    const opened = await Promise.allSettled(
      [TEST_PASSWORD, "another password"].map((password) =>
        openRepository({ backend: diskOf(folder), password, threads: 1 }),
      ),
    );
    expect(opened.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const result of opened) {
      if (result.status === "fulfilled") {
        await using repository = result.value;
        expect((await checkRepository(repository)).findings).toMatchObject([
          { kind: "key-damaged", id: name },
        ]);
      } else expect(String(result.reason)).toMatch(/1 more cannot be read \(keys\/[0-9a-f]{8}/);
    }
    await writeFile(path, bytes);
  }
});

test("a wrong password is told as such", async () => {
  const opening = openRepository({
    backend: diskOf(join(work.path, "whole")),
    password: "wrong",
    threads: 1,
  });
  await expect(opening).rejects.toMatchObject({ code: "vault.wrong-password" });
});

test("a key that an interrupted init left behind is passed over", async () => {
  const folder = await work.copy("whole", "left-key");
  await using other = await createTestRepository(diskOf(join(work.path, "other")));
  const [stray] = await Array.fromAsync(other.backend.list("keys"));
  const name = stray?.name ?? "";
  await diskOf(folder).write({ kind: "keys", name }, [await other.backend.read({ kind: "keys", name })]);
  await using repository = await reopen(diskOf(folder));
  expect((await checkRepository(repository, { readData: true })).findings).toEqual([]);
});

function expectError(cause: unknown, wanted: Case["fails"]): void {
  expect(cause).toBeInstanceOf(MainstayError);
  expect(cause).toMatchObject({ code: wanted?.code });
  expect(String(cause)).toMatch(wanted?.names ?? /./);
}

/** Reads chunk by chunk; how many came, all of them right, and the first failure. */
async function readChunks(repository: Repository): Promise<{ failure: unknown; read: number }> {
  let failure: unknown;
  let read = 0;
  try {
    await loadIndex(repository);
    const map = await openContent(repository, await findSnapshot(repository, "latest"));
    const reader = openReader(repository, map, { readAheadBytes: 0 });
    for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
      try {
        const bytes = await reader.read(chunk * CHUNK, CHUNK);
        expect(bytes.equals(DISK.subarray(chunk * CHUNK, (chunk + 1) * CHUNK))).toBe(true);
        read += 1;
      } catch (cause) {
        failure ??= cause;
      }
    }
  } catch (cause) {
    failure ??= cause;
  }
  return { failure, read };
}
