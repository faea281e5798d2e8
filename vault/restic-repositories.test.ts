/** Repositories that restic made, whole and damaged: we read what restic reads and find what restic finds. */

import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createDiskBackend } from "./backend/disk.ts";
import { checkRepository } from "./check/check-repository.ts";
import type { ObjectId } from "./format/object-id.ts";
import { permissionsOf } from "./format/file-mode.ts";
import { loadIndex } from "./index/load-index.ts";
import { executeRepairIndex, planRepairIndex } from "./maintenance/repair-index.ts";
import { readBlob, readTree } from "./repository/blob-reader.ts";
import { openRepository } from "./repository/open.ts";
import type { Repository } from "./repository/repository.ts";
import { listSnapshots } from "./repository/snapshots.ts";

type ExpectedNode = {
  path: string;
  path_hex?: string;
  type: string;
  size?: number;
  mode?: number;
  uid: number;
  gid: number;
  mtime: string;
  sha256?: string | null;
  content: string[] | null;
  linktarget?: string;
  extended_attributes?: { name: string; value: string }[];
};
type ExpectedRepository = {
  repo: string;
  passwords: string[];
  config: { version: number; id: string; chunker_polynomial: string };
  masterkey: { mac: { k: string; r: string }; encrypt: string };
  packs: string[];
  blobs: string[];
  snapshots: {
    id: string;
    time: string;
    tree: string;
    hostname: string;
    paths: string[];
    tags?: string[] | null;
    nodes: ExpectedNode[];
  }[];
  check_read_data: { restic_exit: number; ids: string[] };
  after_rebuild_index?: Record<string, { ls_exit: number; files: Record<string, string | null> }>;
};

const DATA = join(import.meta.dirname, "testdata/restic");
const expected = JSON.parse(readFileSync(join(DATA, "expected.json"), "utf8")) as Record<
  string,
  ExpectedRepository
>;
const folder = mkdtempSync(join(tmpdir(), "mainstay-restic-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function unpack(name: string, purpose: string): string {
  const target = join(folder, `${name}-${purpose}`);
  execFileSync("mkdir", ["-p", target]);
  execFileSync("tar", ["-xzf", join(DATA, `${name}.tar.gz`), "-C", target]);
  return join(target, "repo");
}

async function open(path: string, password: string): Promise<Repository> {
  return openRepository({ backend: createDiskBackend(path), password, threads: 1 });
}

type Entry = { path: Buffer; type: string; node: Awaited<ReturnType<typeof readTree>>[number] };

async function* walk(repository: Repository, tree: ObjectId, above = Buffer.alloc(0)): AsyncIterable<Entry> {
  for (const node of await readTree(repository, tree)) {
    const path = Buffer.concat([above, Buffer.from("/"), node.name]);
    yield { path, type: node.type, node };
    if (node.subtree !== undefined) yield* walk(repository, node.subtree, path);
  }
}

async function contentHash(repository: Repository, content: readonly ObjectId[]): Promise<string> {
  const parts = [];
  for (const id of content) parts.push(await readBlob(repository, "data", id));
  return hash("sha256", Buffer.concat(parts), "hex");
}

describe.each(Object.keys(expected))("%s", (name) => {
  const wanted = expected[name] as ExpectedRepository;

  test("opens with each of its passwords and yields the master key", async () => {
    for (const password of wanted.passwords) {
      await using repository = await open(unpack(name, "open"), password);
      expect(repository.config.version).toBe(wanted.config.version);
      expect(repository.config.id).toBe(wanted.config.id);
      expect(repository.config.polynomial.toString(16)).toBe(wanted.config.chunker_polynomial);
      expect(Buffer.from(repository.key.encrypt).toString("base64")).toBe(wanted.masterkey.encrypt);
      expect(Buffer.from(repository.key.macK).toString("base64")).toBe(wanted.masterkey.mac.k);
      expect(Buffer.from(repository.key.macR).toString("base64")).toBe(wanted.masterkey.mac.r);
    }
  });

  test("lists its packs, blobs and restore points as restic does", async () => {
    await using repository = await open(unpack(name, "list"), wanted.passwords[0] ?? "");
    await loadIndex(repository);
    const packs = await Array.fromAsync(repository.backend.list("data"));
    expect(packs.map((pack) => pack.name).sort()).toEqual([...wanted.packs].sort());
    const blobs = new Set([...repository.table.entries()].map(({ type, id }) => `${type} ${id}`));
    expect([...blobs].sort()).toEqual([...new Set(wanted.blobs)].sort());
    const snapshots = await listSnapshots(repository);
    expect(snapshots.map(({ id }) => id).sort()).toEqual(wanted.snapshots.map(({ id }) => id).sort());
    for (const point of wanted.snapshots) {
      const found = snapshots.find(({ id }) => id === point.id);
      expect(found).toMatchObject({ tree: point.tree, hostname: point.hostname, paths: point.paths });
      expect(Date.parse(found?.time ?? "")).toBe(Date.parse(point.time));
    }
  });

  test("gives every entry and every byte that restic gives", async () => {
    await using repository = await open(unpack(name, "read"), wanted.passwords[0] ?? "");
    await loadIndex(repository);
    for (const point of wanted.snapshots.filter(({ nodes }) => nodes.length > 0)) {
      const entries = await Array.fromAsync(walk(repository, point.tree as ObjectId));
      const byPath = new Map(entries.map((entry) => [entry.path.toString("hex"), entry]));
      expect(byPath.size).toBe(point.nodes.length);
      for (const node of point.nodes) {
        const entry = byPath.get(node.path_hex ?? Buffer.from(node.path, "utf8").toString("hex"));
        expect(entry, node.path).toBeDefined();
        await expectNode(repository, entry as Entry, node);
      }
    }
  });

  test("is judged by a full check as restic judges it", async () => {
    await using repository = await open(unpack(name, "check"), wanted.passwords[0] ?? "");
    const report = await checkRepository(repository, { readData: true });
    expect(report.errors > 0, JSON.stringify(report.findings)).toBe(wanted.check_read_data.restic_exit !== 0);
    const named = JSON.stringify(report.findings);
    for (const id of wanted.check_read_data.ids) expect(named).toContain(id);
  });
});

describe.each(Object.keys(expected).filter((name) => expected[name]?.after_rebuild_index))("%s", (name) => {
  const wanted = expected[name] as ExpectedRepository;

  test("is as whole after its index is made anew as restic makes it", async () => {
    await using repository = await open(unpack(name, "repair"), wanted.passwords[0] ?? "");
    await executeRepairIndex(repository, await planRepairIndex(repository));
    await using again = await open(join(folder, `${name}-repair`, "repo"), wanted.passwords[0] ?? "");
    await loadIndex(again);
    const snapshots = await listSnapshots(again);
    for (const [id, { files }] of Object.entries(wanted.after_rebuild_index ?? {})) {
      const tree = snapshots.find((snapshot) => snapshot.id === id)?.tree as ObjectId;
      const entries = await Array.fromAsync(walk(again, tree));
      for (const [path, sha256] of Object.entries(files)) {
        const content = entries.find((entry) => entry.path.toString() === path)?.node.content ?? [];
        const found = await contentHash(again, content).catch(() => null);
        expect(found).toBe(sha256);
      }
    }
  });
});

async function expectNode(repository: Repository, { node }: Entry, wanted: ExpectedNode): Promise<void> {
  expect(node.type).toBe(wanted.type);
  expect(node.mode).toBe(wanted.mode ?? 0);
  expect([node.uid, node.gid]).toEqual([wanted.uid, wanted.gid]);
  expect(node.mtime).toBe(wanted.mtime);
  if (wanted.type === "file") {
    expect(node.size ?? 0).toBe(wanted.size ?? 0);
    expect(node.content ?? []).toEqual(wanted.content ?? []);
    if (wanted.sha256) expect(await contentHash(repository, node.content ?? [])).toBe(wanted.sha256);
    expect(permissionsOf(node.mode) & 0o777).toBe((wanted.mode ?? 0) & 0o777);
  }
  if (wanted.linktarget !== undefined) expect(node.linkTarget?.toString()).toBe(wanted.linktarget);
  const attributes = node.extendedAttributes?.map(({ name, value }) => ({
    name,
    value: value.toString("base64"),
  }));
  if (wanted.extended_attributes) expect(attributes).toEqual(wanted.extended_attributes);
}
