import { createHash, randomBytes } from "node:crypto";
import { fakeClock } from "@mainstay/kit/testing";
import { describe, expect, test } from "vitest";
import { vaultErrors } from "../errors.ts";
import type { FileRef } from "./backend.ts";
import { describeBackendContract } from "./contract-suite.ts";
import { withCounting } from "./counting.ts";
import { createFaultyBackend } from "./faulty.ts";
import { withPacing } from "./limited.ts";
import { createMemoryBackend } from "./memory.ts";
import { createPacer } from "./pacer.ts";
import { withRetries } from "./retrying.ts";

const BYTES = randomBytes(1000);
const PACK: FileRef = { kind: "data", name: createHash("sha256").update(BYTES).digest("hex") };
const QUICK = { attemptsMax: 3, firstPauseMs: 1, pauseMaxMs: 1 };

for (const [title, decorate] of [
  ["retries over a faulty twin", (memory) => withRetries(createFaultyBackend(memory), QUICK)],
  ["counting", withCounting],
  ["pacing", (memory) => withPacing(memory, { sent: createPacer(1e9), received: createPacer(1e9) })],
] satisfies [string, (memory: ReturnType<typeof createMemoryBackend>) => unknown][]) {
  describeBackendContract(title, async () => {
    const memory = createMemoryBackend();
    return { backend: decorate(memory), reopen: () => decorate(memory), dispose: async () => {} };
  });
}

describe("retries", () => {
  test("outlast a place that does not answer twice, and lost answers", async () => {
    const faulty = createFaultyBackend(createMemoryBackend());
    const backend = withRetries(faulty, QUICK);
    faulty.plan({ method: "write", fault: { kind: "unreachable" }, times: 1 });
    faulty.plan({ method: "write", fault: { kind: "answer-lost" }, times: 1 });
    faulty.plan({ method: "read", fault: { kind: "answer-lost" }, times: 2 });
    faulty.plan({ method: "list", fault: { kind: "answer-lost" }, times: 2 });
    faulty.plan({ method: "remove", fault: { kind: "answer-lost" } });
    await backend.write(PACK, [BYTES]);
    expect(Buffer.from(await backend.read(PACK))).toEqual(BYTES);
    expect(await Array.fromAsync(backend.list("data"))).toHaveLength(1);
    await backend.remove(PACK);
    expect(faulty.pending()).toBe(0);
  });

  test("give up after the last attempt, with the last failure", async () => {
    const faulty = createFaultyBackend(createMemoryBackend());
    faulty.plan({ method: "stat", fault: { kind: "unreachable" }, times: 3 });
    const backend = withRetries(faulty, QUICK);
    await expect(backend.stat(PACK)).rejects.toSatisfy((cause) =>
      vaultErrors.is(cause, "backend-unreachable"),
    );
    expect(faulty.pending()).toBe(0);
  });

  test.each(["refused", "full"] as const)("do not repeat what is final: %s", async (kind) => {
    const faulty = createFaultyBackend(createMemoryBackend());
    faulty.plan({ method: "write", fault: { kind }, times: 2 });
    await expect(withRetries(faulty, QUICK).write(PACK, [BYTES])).rejects.toSatisfy((cause) =>
      vaultErrors.is(cause, `backend-${kind}`),
    );
    expect(faulty.pending()).toBe(1);
  });
});

describe("the faulty twin", () => {
  test("tears a write, flips a bit, runs full", async () => {
    const memory = createMemoryBackend();
    const faulty = createFaultyBackend(memory);
    faulty.plan({ method: "write", fault: { kind: "torn", keptBytes: 10 } });
    await expect(faulty.write(PACK, [BYTES])).rejects.toThrow();
    expect(await memory.stat(PACK)).toBe(10);
    await memory.remove(PACK);
    faulty.leaveRoom(1500);
    await faulty.write(PACK, [BYTES]);
    await expect(faulty.write({ ...PACK, kind: "keys" }, [BYTES])).rejects.toSatisfy((cause) =>
      vaultErrors.is(cause, "backend-full"),
    );
    faulty.plan({ method: "read", fault: { kind: "bit-flipped", bit: 8 } });
    const flipped = Buffer.from(await faulty.read(PACK));
    expect(flipped.equals(BYTES)).toBe(false);
    expect((flipped[1] ?? 0) ^ (BYTES[1] ?? 0)).toBe(1);
    expect(Buffer.from(await faulty.read(PACK))).toEqual(BYTES);
  });

  test("fails only for the files that a plan is for", async () => {
    const faulty = createFaultyBackend(createMemoryBackend());
    faulty.plan({ method: "write", fault: { kind: "full" }, matches: (file) => file.kind === "index" });
    await faulty.write(PACK, [BYTES]);
    await expect(faulty.write({ ...PACK, kind: "index" }, [BYTES])).rejects.toThrow();
  });
});

test("counting tells requests and bytes of each direction, of successes", async () => {
  const backend = withCounting(createMemoryBackend());
  await backend.write(PACK, [BYTES.subarray(0, 1), BYTES.subarray(1)]);
  await backend.read(PACK, { offset: 0, length: 10 });
  await backend.read({ ...PACK, kind: "keys" }).catch(() => {});
  expect(backend.traffic()).toEqual({ requests: 3, sentBytes: 1000, receivedBytes: 10 });
});

describe("a pace", () => {
  test("is kept to the byte over time, in short even steps, without waiting for nothing", async () => {
    const clock = fakeClock();
    const waits: number[] = [];
    const sleep = async (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
      clock.advance(milliseconds);
    };
    const pacer = createPacer(1_000_000, { clock, sleep });
    const backend = withPacing(createMemoryBackend(), { sent: pacer });
    const pack = Buffer.alloc(2_000_000);
    await backend.write({ kind: "config", name: "" }, [pack]);
    expect(clock.monotonicMs()).toBeCloseTo(2000, 0);
    expect(Math.max(...waits)).toBeLessThan(70);
  });

  test("lets a short burst pass after a pause, but not the whole pause", async () => {
    const clock = fakeClock();
    let waitedMs = 0;
    const sleep = async (milliseconds: number): Promise<void> => void (waitedMs += milliseconds);
    const pacer = createPacer(1000, { clock, sleep });
    clock.advance(60_000);
    await pacer.take(100);
    expect(waitedMs).toBe(0);
    await pacer.take(1000);
    expect(waitedMs).toBe(1000);
  });

  test("gives back what an abort did not use", async () => {
    const controller = new AbortController();
    const waits: number[] = [];
    const sleep = async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
      waits.push(milliseconds);
      controller.abort();
      signal?.throwIfAborted();
    };
    const pacer = createPacer(1000, { clock: fakeClock(), sleep });
    await expect(pacer.take(5000, controller.signal)).rejects.toThrow(/abort/i);
    await pacer.take(1000);
    expect(waits).toEqual([5000, 1000]);
  });
});
