/** Entries are whole, made once, and survive whatever dies beside them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheEntry, defaultCacheFolder } from "./cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-cache-"));
});
afterEach(() => rm(folder, { recursive: true }));

const filling = (text: string) => (entry: string) => writeFile(path.join(entry, "content"), text);

test("an entry is filled once and then found", async () => {
  const first = await cacheEntry({ folder, key: "k", fill: filling("first") });
  const second = await cacheEntry({ folder, key: "k", fill: filling("second") });
  expect(second).toBe(first);
  expect(await readFile(path.join(first, "content"), "utf8")).toBe("first");
});

test("two at once make one entry; the other waits and says so", async () => {
  let fills = 0;
  let waits = 0;
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const fill = async (entry: string): Promise<void> => {
    fills += 1;
    started.resolve();
    await gate.promise;
    await filling("one")(entry);
  };
  const one = cacheEntry({ folder, key: "k", fill });
  await started.promise;
  const two = cacheEntry({
    folder,
    key: "k",
    fill,
    onWaiting: () => {
      waits += 1;
      gate.resolve();
    },
  });
  expect(await Promise.all([one, two])).toEqual([path.join(folder, "k"), path.join(folder, "k")]);
  expect([fills, waits]).toEqual([1, 1]);
});

test("a failed fill leaves nothing, and the next call tries again", async () => {
  const failing = cacheEntry({ folder, key: "k", fill: () => Promise.reject(new Error("disk full")) });
  await expect(failing).rejects.toThrow("disk full");
  expect(await readdir(folder)).toEqual([]);
  await cacheEntry({ folder, key: "k", fill: filling("now") });
  expect(await readdir(folder)).toEqual(["k"]);
});

test("what a killed build left is neither used nor kept", async () => {
  await mkdir(path.join(folder, "k.partial"));
  await writeFile(path.join(folder, "k.partial", "half"), "half");
  const entry = await cacheEntry({ folder, key: "k", fill: filling("whole") });
  expect(await readdir(entry)).toEqual(["content"]);
  expect(await readdir(folder)).toEqual(["k"]);
});

test("a builder killed with SIGKILL lets the next one in", async () => {
  const script = `
    import { cacheEntry } from ${JSON.stringify(path.join(import.meta.dirname, "cache.ts"))};
    setInterval(() => {}, 1000);
    await cacheEntry({ folder: process.argv[1], key: "k", fill: () => new Promise(() => console.log("filling")) });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  let waited = false;
  const entry = cacheEntry({
    folder,
    key: "k",
    fill: filling("after"),
    onWaiting: () => {
      waited = true;
      child.kill("SIGKILL");
    },
  });
  expect(await readFile(path.join(await entry, "content"), "utf8")).toBe("after");
  expect(waited).toBe(true);
});

test("a waiting call can be given up", async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const one = cacheEntry({
    folder,
    key: "k",
    fill: (entry) => {
      started.resolve();
      return gate.promise.then(() => filling("one")(entry));
    },
  });
  await started.promise;
  const giveUp = new AbortController();
  const two = cacheEntry({
    folder,
    key: "k",
    fill: filling("two"),
    signal: giveUp.signal,
    onWaiting: () => giveUp.abort(),
  });
  await expect(two).rejects.toThrow(/abort/i);
  gate.resolve();
  await one;
});

test("an entry that nobody wanted for a week goes when another is asked for", async () => {
  const weekAgo = new Date(Date.now() - 8 * 24 * 60 * 60_000);
  await utimes(await cacheEntry({ folder, key: "old", fill: filling("old") }), weekAgo, weekAgo);
  await cacheEntry({ folder, key: "new", fill: filling("new") });
  expect(await readdir(folder)).toEqual(["new"]);
});

test("an entry that is asked for stays, however old", async () => {
  const weekAgo = new Date(Date.now() - 8 * 24 * 60 * 60_000);
  await utimes(await cacheEntry({ folder, key: "k", fill: filling("old") }), weekAgo, weekAgo);
  const entry = await cacheEntry({ folder, key: "k", fill: filling("new") });
  expect(await readFile(path.join(entry, "content"), "utf8")).toBe("old");
});

test("the cache lies where the desktop standard says", () => {
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "/somewhere" })).toBe("/somewhere/mainstay/samples");
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "" })).toMatch(/\/\.cache\/mainstay\/samples$/);
});
