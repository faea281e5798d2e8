/** A worker thread: runs the tasks that its pool sends. */

import { parentPort, workerData } from "node:worker_threads";
import { must, unreachable } from "@mainstay/kit";
import type { Answer, Request, WorkerSetup } from "./pool.ts";
import { placeBlobs } from "./place.ts";
import { hashSpans, openBlobs, sealSpans, verifyPack } from "./tasks.ts";

const port = must(parentPort, "a worker has a parent");
// Made by the pool, which is the only one to start this file.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const setup = workerData as WorkerSetup;

port.on("message", (request: Request) => {
  const { answer, transfer } = answerTo(request);
  port.postMessage(answer, transfer);
});

function answerTo(request: Request): { answer: Answer; transfer: ArrayBuffer[] } {
  const buffer = new Uint8Array(request.buffer);
  switch (request.kind) {
    case "hash": {
      const ids = hashSpans(buffer, request.spans);
      return { answer: { kind: "hash", ids }, transfer: [bufferOf(ids)] };
    }
    case "seal": {
      const { bytes, sealed } = sealSpans(setup.key, setup.version, setup.level, buffer, request.spans);
      return { answer: { kind: "seal", bytes, sealed }, transfer: [bufferOf(bytes)] };
    }
    case "open": {
      const { bytes, opened } = openBlobs(setup.key, buffer, request.blobs);
      return { answer: { kind: "open", bytes, opened }, transfer: [bufferOf(bytes)] };
    }
    case "place":
      return {
        answer: { kind: "place", placement: placeBlobs(setup.key, buffer, request.blobs) },
        transfer: [],
      };
    case "verify":
      return {
        answer: { kind: "verify", verdict: verifyPack(setup.key, buffer, request.blobs) },
        transfer: [],
      };
    default:
      return unreachable(request);
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  // The tasks allocate their results with `new Uint8Array`, never over shared memory.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return bytes.buffer as ArrayBuffer;
}
