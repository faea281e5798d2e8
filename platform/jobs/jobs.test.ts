import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenedPlatform } from "../platform.ts";
import { testPlatform } from "../testing.ts";
import type { Queue } from "./jobs.ts";

let platform: OpenedPlatform;

beforeAll(async () => {
  platform = await testPlatform();
});

afterAll(() => platform.close());

function queue(name: string, policy: Queue<object>["policy"] = "every"): Queue<{ readonly n: number }> {
  return { name: `test.${name}`, retriesMax: 3, retryPauseSeconds: 0, runSecondsMax: 60, policy };
}

/** Collects bodies until `count` came. */
function collect(from: Queue<{ readonly n: number }>, count: number, failFirst = 0): Promise<number[]> {
  const seen: number[] = [];
  return new Promise((done, fail) => {
    platform.jobs
      .work(from, { placesMax: 1 }, async ({ n }) => {
        seen.push(n);
        if (seen.length <= failFirst) throw new Error("not yet");
        if (seen.length >= count) done(seen);
      })
      .catch(fail);
  });
}

test("a job runs after the commit that published it, and not at all after a rollback", async () => {
  const numbers = queue("commit");
  const failing = platform.database.asSystem("test", async (tx) => {
    await platform.jobs.publish(tx, numbers, { n: 1 });
    throw new Error("rolled back");
  });
  await expect(failing).rejects.toThrow("rolled back");
  await platform.database.asSystem("test", (tx) => platform.jobs.publish(tx, numbers, { n: 2 }));
  expect(await collect(numbers, 1)).toEqual([2]);
});

test("a job that failed is tried again", async () => {
  const numbers = queue("retry");
  await platform.database.asSystem("test", (tx) => platform.jobs.publish(tx, numbers, { n: 7 }));
  expect(await collect(numbers, 2, 1)).toEqual([7, 7]);
});

test("one-per-key queues nothing while the same key waits", async () => {
  const numbers = queue("key", "one-per-key");
  const publish = (n: number, key: string) =>
    platform.database.asSystem("test", (tx) => platform.jobs.publish(tx, numbers, { n }, { key }));
  expect(await publish(1, "a")).toBe(true);
  expect(await publish(2, "a")).toBe(false);
  expect(await publish(3, "b")).toBe(true);
  expect((await collect(numbers, 2)).sort((a, b) => a - b)).toEqual([1, 3]);
});

test("a waiting worker gets what is published after it began to wait", async () => {
  const numbers = queue("prompt");
  const came = collect(numbers, 1);
  await platform.jobs.work(queue("other"), { placesMax: 1 }, async () => undefined);
  await platform.database.asSystem("test", (tx) => platform.jobs.publish(tx, numbers, { n: 1 }));
  expect(await came).toEqual([1]);
});
