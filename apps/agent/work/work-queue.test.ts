/** Work is done once, survives a restart, and expires by the server's clock. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Work } from "@mainstay/contract";
import { work as workSchema } from "@mainstay/contract";
import { newUuid } from "@mainstay/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFolder } from "../state/folder.ts";
import { isExpired, openWorkQueue } from "./work-queue.ts";

let data: string;
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), "mainstay-work-"));
});
afterEach(() => rm(data, { recursive: true }));

const open = async () => openWorkQueue((await openFolder(data)).workQueue);
const work = (dedupeKey: string, expiresAt = "2026-01-02T00:00:00.000Z"): Work =>
  workSchema.parse({ id: newUuid(), kind: "backup-now", dedupeKey, expiresAt });

test("work waits through a restart, in order, until it is finished", async () => {
  const queue = await open();
  await queue.add(work("one"));
  await queue.add(work("two"));
  const again = await open();
  const first = again.first();
  expect(first?.dedupeKey).toBe("one");
  if (first !== undefined) await again.finish(first);
  expect((await open()).first()?.dedupeKey).toBe("two");
});

test("the same work sent again is neither queued nor done twice", async () => {
  const queue = await open();
  const one = work("one");
  expect(await queue.add(one)).toBe("added");
  expect(await queue.add(one)).toBe("known");
  await queue.finish(one);
  expect(await (await open()).add(one)).toBe("known");
});

test("work expires by the server's clock though ours is a day off", () => {
  const day = 24 * 60 * 60 * 1000;
  const one = work("one", "2026-01-02T00:00:00.000Z");
  expect(isExpired(one, new Date("2026-01-01T12:00:00Z"), 0)).toBe(false);
  expect(isExpired(one, new Date("2026-01-01T12:00:00Z"), day)).toBe(true);
  expect(isExpired(one, new Date("2026-01-02T12:00:00Z"), -day)).toBe(false);
});
