import { expect, test } from "vitest";
import { retry, type RetryOptions } from "./retry.ts";

const options: RetryOptions = { attemptsMax: 3, firstPauseMs: 1, pauseMaxMs: 2, isTransient: () => true };

test("a task that recovers gives its result", async () => {
  const result = await retry(
    (attempt) => (attempt < 3 ? Promise.reject(new Error("busy")) : Promise.resolve(`attempt ${attempt}`)),
    options,
  );
  expect(result).toBe("attempt 3");
});

test("the last failure is the one reported when the attempts are used up", async () => {
  const task = (attempt: number): Promise<never> => Promise.reject(new Error(`failure ${attempt}`));
  await expect(retry(task, options)).rejects.toThrow("failure 3");
});

test("a final failure is not tried again", async () => {
  let attempts = 0;
  const task = (): Promise<never> => {
    attempts += 1;
    return Promise.reject(new Error("forbidden"));
  };
  await expect(retry(task, { ...options, isTransient: () => false })).rejects.toThrow("forbidden");
  expect(attempts).toBe(1);
});

test("an abort ends the pause", async () => {
  const abort = new AbortController();
  const task = (): Promise<never> => {
    setImmediate(() => abort.abort());
    return Promise.reject(new Error("busy"));
  };
  const waiting = retry(task, { ...options, firstPauseMs: 60_000, pauseMaxMs: 60_000, signal: abort.signal });
  await expect(waiting).rejects.toThrow(/abort/i);
});
