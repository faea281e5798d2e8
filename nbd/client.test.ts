/** The client against servers that lie: every lie is an error, never wrong bytes, never a wait without end. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { connectNbd } from "./client.ts";
import { CHUNK, CHUNK_FLAG_DONE, encodeChunkHeader, REQUEST_HEADER_BYTES, writeUint64 } from "./protocol.ts";
import { shakeHands } from "./server-handshake.ts";
import { memoryDevice, seededRandom } from "./testing.ts";
import { Wire } from "./wire.ts";

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const HANDLE = { high: 0, low: 1 };

let folder: string;
let path: string;
let server: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nbd-"));
  path = join(folder, "s");
});

afterEach(async () => {
  server?.close();
  await rm(folder, { recursive: true });
});

function listen(serve: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    server = createServer(serve).listen(path, resolve);
  });
}

/** Shakes hands rightly, then answers the first request with `bytes`. */
function answerWith(bytes: Buffer): Promise<void> {
  return listen((socket) => {
    const wire = new Wire(socket);
    void firstRequest(wire).then(() => wire.send([bytes]));
  });
}

async function firstRequest(wire: Wire): Promise<void> {
  await shakeHands(wire, new Map([["", memoryDevice(65536)]]));
  await wire.read(REQUEST_HEADER_BYTES);
}

function dataChunk(offset: number, length: number, flags = 0): Buffer {
  const header = encodeChunkHeader({ flags, type: CHUNK.offsetData, handle: HANDLE, length: 8 + length }, 8);
  writeUint64(header, offset, 20);
  return Buffer.concat([header, Buffer.alloc(length, 1)]);
}

const done = encodeChunkHeader({ flags: CHUNK_FLAG_DONE, type: CHUNK.none, handle: HANDLE, length: 0 }, 0);
const foreign = encodeChunkHeader(
  { flags: CHUNK_FLAG_DONE, type: CHUNK.none, handle: { high: 0, low: 77 }, length: 0 },
  0,
);
const unknown = encodeChunkHeader({ flags: CHUNK_FLAG_DONE, type: 77, handle: HANDLE, length: 0 }, 0);
const endless = encodeChunkHeader(
  { flags: 0, type: CHUNK.blockStatus, handle: HANDLE, length: 2 ** 32 - 1 },
  0,
);

test.each([
  ["leaves a gap", Buffer.concat([dataChunk(0, 100), done])],
  [
    "sends a part twice",
    Buffer.concat([dataChunk(0, 2048), dataChunk(1024, 2048), dataChunk(3072, 1024), done]),
  ],
  ["sends what was not asked for", dataChunk(4096, 10, CHUNK_FLAG_DONE)],
  ["sends more than was asked for", dataChunk(0, 5000, CHUNK_FLAG_DONE)],
  ["answers what was not asked", foreign],
  ["sends an unknown chunk", unknown],
  ["announces an endless chunk", endless],
  ["sends noise", Buffer.alloc(64, 0x5a)],
])("a server that %s breaks the protocol", async (_, bytes) => {
  await answerWith(bytes);
  const client = await connectNbd({ path });
  await expect(client.read(0, 4096)).rejects.toMatchObject({ code: "nbd.protocol-violation" });
  await client.close();
});

test("parts in any order make the whole", async () => {
  await answerWith(Buffer.concat([dataChunk(3000, 1096), dataChunk(0, 3000, CHUNK_FLAG_DONE)]));
  const client = await connectNbd({ path });
  expect(await client.read(0, 4096)).toEqual(Buffer.alloc(4096, 1));
  await client.close();
});

test("what is no NBD server, or says nothing, is told so", async () => {
  await listen((socket) => {
    socket.on("error", () => {});
    socket.write("220 mail.example.org ESMTP ready, how may I serve you");
  });
  await expect(connectNbd({ path })).rejects.toMatchObject({ code: "nbd.protocol-violation" });
  server?.close();
  path = `${path}2`;
  await listen(() => {});
  await expect(connectNbd({ path, connectTimeoutMs: 50 })).rejects.toMatchObject({
    code: "nbd.disconnected",
  });
  await expect(connectNbd({ path, signal: AbortSignal.timeout(30) })).rejects.toThrow(/timeout/i);
});

test(`random answers never hang a read (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  await listen((socket) => {
    const wire = new Wire(socket);
    const noise = Buffer.from(Array.from({ length: 400 }, () => Math.floor(random() * 256)));
    const start = Buffer.concat([dataChunk(0, 16), noise]);
    start[Math.floor(random() * 20)] = Math.floor(random() * 256);
    void firstRequest(wire).then(() => {
      wire.send([start]);
      return socket.end();
    });
  });
  for (let turn = 0; turn < 40; turn += 1) {
    const client = await connectNbd({ path });
    await expect(client.read(0, 4096)).rejects.toMatchObject({
      code: expect.stringMatching(/^nbd\.(protocol-violation|disconnected|server-error)$/),
    });
    await client.close();
  }
});
