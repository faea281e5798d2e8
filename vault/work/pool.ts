/** Worker threads for the heavy work. A request goes to the thread with the fewest waiting. */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assert, must } from "@mainstay/kit";
import type { SealingKey } from "../crypto/seal.ts";
import type { RepositoryVersion } from "../format/envelope.ts";
import type { PlacedBlob, Placement } from "./place.ts";
import type { OpenedBlob, PackVerdict, SealedBlob, SealedSpan, Span } from "./tasks.ts";

export type WorkerSetup = {
  readonly key: SealingKey;
  readonly version: RepositoryVersion;
  /** zstd level. */
  readonly level: number;
};

/** `buffer` is shared memory that nobody changes until the answer is there, or one that the request gives away. */
export type Request =
  | { readonly kind: "hash"; readonly buffer: SharedArrayBuffer; readonly spans: readonly Span[] }
  | { readonly kind: "seal"; readonly buffer: SharedArrayBuffer; readonly spans: readonly Span[] }
  | { readonly kind: "open"; readonly buffer: ArrayBuffer; readonly blobs: readonly SealedBlob[] }
  | { readonly kind: "place"; readonly buffer: ArrayBuffer; readonly blobs: readonly PlacedBlob[] }
  | { readonly kind: "verify"; readonly buffer: ArrayBuffer; readonly blobs: readonly SealedBlob[] };

export type Answer =
  | { readonly kind: "hash"; readonly ids: Uint8Array }
  | { readonly kind: "seal"; readonly bytes: Uint8Array; readonly sealed: readonly SealedSpan[] }
  | { readonly kind: "open"; readonly bytes: Uint8Array; readonly opened: readonly OpenedBlob[] }
  | { readonly kind: "place"; readonly placement: Placement }
  | { readonly kind: "verify"; readonly verdict: PackVerdict };

type AnswerTo<Asked extends Request> = Extract<Answer, { kind: Asked["kind"] }>;

/** The bytes alone in their buffer, as a request gives them away. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, length } = bytes;
  const isAlone = buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength === length;
  return isAlone ? buffer : new Uint8Array(bytes).buffer;
}

type Waiting = { readonly resolve: (answer: Answer) => void; readonly reject: (cause: unknown) => void };

/** `waiting` is in the order asked: a worker answers in that order. */
type Thread = { readonly worker: Worker; readonly waiting: Waiting[] };

const THREADS_MAX = 16;

export type WorkPool = {
  readonly threads: number;
  run<Asked extends Request>(request: Asked): Promise<AnswerTo<Asked>>;
  close(): Promise<void>;
};

/** Starts no thread before there is work for it. */
export function createWorkPool(setup: WorkerSetup, threadsWanted = availableParallelism()): WorkPool {
  const threadCount = Math.max(1, Math.min(THREADS_MAX, threadsWanted));
  const threads: Thread[] = [];
  const forget = (thread: Thread): void => {
    const at = threads.indexOf(thread);
    if (at !== -1) threads.splice(at, 1);
  };
  let closed = false;

  const pick = (): Thread => {
    const idle = threads.find((thread) => thread.waiting.length === 0);
    if (idle !== undefined) return idle;
    if (threads.length < threadCount) {
      const thread = startThread(setup, forget);
      threads.push(thread);
      return thread;
    }
    const least = threads.reduce((best, thread) =>
      thread.waiting.length < best.waiting.length ? thread : best,
    );
    return least;
  };

  return {
    threads: threadCount,
    run: <Asked extends Request>(request: Asked) => {
      assert(!closed, "a closed pool gets no work");
      const thread = pick();
      const answer = new Promise<Answer>((resolve, reject) => thread.waiting.push({ resolve, reject }));
      thread.worker.ref();
      thread.worker.postMessage(request, request.buffer instanceof ArrayBuffer ? [request.buffer] : []);
      // A thread answers each request with the same kind.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return answer as Promise<AnswerTo<Asked>>;
    },
    close: async () => {
      closed = true;
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

/** `onEnd` is called when the thread can take no more work: it crashed, ran out of memory, or was ended. */
function startThread(setup: WorkerSetup, onEnd: (thread: Thread) => void): Thread {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: setup,
    execArgv: [],
    // Results leave the thread at once; a small young generation keeps its memory small.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  const thread: Thread = { worker, waiting: [] };
  const end = (cause: unknown): void => {
    onEnd(thread);
    for (const waiting of thread.waiting.splice(0)) waiting.reject(cause);
  };
  worker.unref();
  worker.on("message", (answer: Answer) => {
    must(thread.waiting.shift(), "a thread answers only what it was asked").resolve(answer);
    // An idle thread does not keep the process alive.
    if (thread.waiting.length === 0) worker.unref();
  });
  worker.on("error", end);
  // Whoever waits for a thread that is gone must hear of it, or would wait for ever.
  worker.on("exit", (status) => end(new Error(`a worker thread ended with status ${status}`)));
  return thread;
}
