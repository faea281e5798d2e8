import { expect, test } from "vitest";
import { limiter } from "./limit.ts";

test("no more run at once than there are places, in the order asked", async () => {
  const limit = limiter(2);
  const started: number[] = [];
  let running = 0;
  let runningMax = 0;
  const task = async (number: number): Promise<number> => {
    started.push(number);
    running += 1;
    runningMax = Math.max(runningMax, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return number;
  };
  const results = await Promise.all([0, 1, 2, 3, 4].map((number) => limit.run(() => task(number))));
  expect(results).toEqual([0, 1, 2, 3, 4]);
  expect(started).toEqual([0, 1, 2, 3, 4]);
  expect(runningMax).toBe(2);
});

test("a failing task gives its place back", async () => {
  const limit = limiter(1);
  await expect(limit.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  await expect(limit.run(() => Promise.resolve("done"))).resolves.toBe("done");
});
