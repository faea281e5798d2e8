/** The server against our client and against hand-made bytes: agreement, refusal, faults, drain. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { connectNbd, type ConnectNbdOptions, type NbdClient } from "./client.ts";
import { nbdErrors } from "./errors.ts";
import { encodeOption, encodeRequest, OPTION, SIMPLE_REPLY_BYTES, SIMPLE_REPLY_MAGIC } from "./protocol.ts";
import { serveNbd, type NbdServer, type ServeNbdOptions } from "./server.ts";
import type { DeviceFailure } from "./server-transmission.ts";
import {
  compareDevice,
  exerciseDevice,
  faultyDevice,
  memoryDevice,
  newModel,
  seededRandom,
} from "./testing.ts";
import { Wire } from "./wire.ts";

const MIB = 1024 * 1024;
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

let folder: string;
let path: string;
const open: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nbd-"));
  path = join(folder, "s");
});

afterEach(async () => {
  for (const resource of open.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function serve(
  exports: ServeNbdOptions["exports"],
  more: Partial<ServeNbdOptions> = {},
): Promise<NbdServer> {
  const server = await serveNbd({ exports, listen: { path }, ...more });
  open.push(server);
  return server;
}

async function newClient(more: Partial<ConnectNbdOptions> = {}): Promise<NbdClient> {
  const client = await connectNbd({ path, ...more });
  open.push(client);
  return client;
}

const codeOf = (code: string): object => expect.objectContaining({ code });
const errnoOf = (errno: string): object =>
  expect.objectContaining({ code: "nbd.server-error", values: expect.objectContaining({ errno }) });

describe("agreement", () => {
  test("a device alone is the default export, and known exports are found by name", async () => {
    await serve(
      new Map([
        ["one", memoryDevice(MIB)],
        ["zwei ü", memoryDevice(2 * MIB, { writable: false })],
      ]),
    );
    expect((await newClient({ exportName: "one" })).sizeBytes).toBe(MIB);
    const second = await newClient({ exportName: "zwei ü" });
    expect([second.sizeBytes, second.writable, second.canMultiConn]).toEqual([2 * MIB, false, true]);
    expect(second.contexts).toEqual(["base:allocation"]);
    await expect(connectNbd({ path, exportName: "three" })).rejects.toEqual(codeOf("nbd.handshake-refused"));
    await expect(connectNbd({ path })).rejects.toEqual(codeOf("nbd.handshake-refused"));
  });

  test("a context that the server does not know is missing when it is asked for, not before", async () => {
    await serve(memoryDevice(MIB));
    const client = await newClient({ metaContexts: ["qemu:dirty-bitmap:b0"] });
    expect(client.contexts).toEqual([]);
    await expect(client.blockStatus(0, 10, "qemu:dirty-bitmap:b0")).rejects.toEqual(
      codeOf("nbd.context-missing"),
    );
    expect(await client.extents(5, 10)).toEqual([{ offset: 5, length: 10, kind: "data" }]);
  });

  test("it listens on TCP as well, and port 0 takes a free port", async () => {
    const server = await serve(memoryDevice(MIB), { listen: { host: "127.0.0.1", port: 0 } });
    expect(server.uri()).toMatch(/^nbd:\/\/127\.0\.0\.1:\d+\/$/);
    if ("path" in server.address) throw new Error("wanted a TCP address");
    const client = await connectNbd(server.address);
    open.push(client);
    await client.write(3, Buffer.from("tcp"));
    expect(Buffer.from(await client.read(2, 5)).toString("latin1")).toBe("\0tcp\0");
  });

  test("a socket in use is refused, a stale one replaced, a long path explained", async () => {
    const first = await serve(memoryDevice(MIB));
    await expect(serveNbd({ exports: memoryDevice(1), listen: { path } })).rejects.toEqual(
      codeOf("nbd.address-in-use"),
    );
    await first.close();
    await writeFile(path, "");
    await serve(memoryDevice(MIB));
    await newClient();
    const long = join(folder, "x".repeat(120));
    await expect(connectNbd({ path: long })).rejects.toEqual(codeOf("nbd.path-too-long"));
    await expect(connectNbd({ path: join(folder, "none") })).rejects.toEqual(codeOf("nbd.connect-failed"));
  });
});

describe("requests", () => {
  test(`what is written, zeroed and trimmed through the wire reads back (seed ${SEED})`, async () => {
    const device = memoryDevice(3 * MIB + 777);
    await serve(device);
    const client = await newClient();
    const model = newModel(Buffer.alloc(device.sizeBytes), SEED);
    await exerciseDevice(client, model, 120);
    await compareDevice(device, model);
  });

  test(`several connections see one disk (seed ${SEED})`, async () => {
    const device = memoryDevice(MIB);
    await serve(device);
    const clients = [await newClient(), await newClient(), await newClient()];
    const model = newModel(Buffer.alloc(device.sizeBytes), SEED);
    for (let turn = 0; turn < 6; turn += 1) {
      const client = clients[turn % clients.length];
      if (client !== undefined) await exerciseDevice(client, model, 10);
    }
  });

  test("reads longer than a request are cut and joined, holes included", async () => {
    const device = memoryDevice(100 * MIB);
    await serve(device);
    const client = await newClient();
    const bytes = Buffer.alloc(5 * MIB, "abc");
    await client.write(39 * MIB + 1, bytes);
    const found = Buffer.from(await client.read(0, 100 * MIB));
    expect(found.subarray(39 * MIB + 1, 44 * MIB + 1).equals(bytes)).toBe(true);
    expect(found.subarray(0, 39 * MIB).every((value) => value === 0)).toBe(true);
    expect((await client.extents(0, 100 * MIB)).map((extent) => extent.kind)).toEqual([
      "zero",
      "data",
      "zero",
    ]);
  });

  test("a read-only export refuses every change with EPERM", async () => {
    await serve(memoryDevice(MIB, { writable: false }));
    const client = await newClient();
    await expect(client.write(0, Buffer.from("x"))).rejects.toEqual(errnoOf("EPERM"));
    await client.flush();
    const raw = await rawSession();
    raw.socket.write(request(6, 0, 4096));
    expect(await raw.errno()).toBe(1);
    raw.socket.write(request(4, 0, 4096));
    expect(await raw.errno()).toBe(1);
    raw.socket.destroy();
  });

  test("a request with FUA is answered only after a flush", async () => {
    const device = memoryDevice(MIB);
    await serve(device);
    const raw = await rawSession();
    raw.socket.write(Buffer.concat([request(1, 0, 4, 1), Buffer.from("fua!")]));
    expect(await raw.errno()).toBe(0);
    expect(device.flushes).toBe(1);
    raw.socket.destroy();
  });

  test("an aborted read rejects at once and the connection stays usable", async () => {
    const device = faultyDevice(memoryDevice(MIB));
    device.inject({ operation: "read", nth: 1, delayMs: 100 });
    await serve(device);
    const client = await newClient();
    const abort = new AbortController();
    const slow = client.read(0, 10, abort.signal);
    setTimeout(() => abort.abort(), 10);
    await expect(slow).rejects.toThrow(/abort/i);
    expect((await client.read(0, 10)).length).toBe(10);
  });
});

describe("faults", () => {
  test("a device that fails gives an I/O error with its reason, and is told to the owner", async () => {
    const failures: DeviceFailure[] = [];
    const device = faultyDevice(memoryDevice(MIB));
    await serve(device, { onDeviceFailure: (failure) => failures.push(failure) });
    const client = await newClient();
    device.inject({ operation: "read", range: { offset: 4096, length: 4096 }, code: "EIO" });
    await expect(client.read(0, 8192)).rejects.toEqual(errnoOf("EIO"));
    await expect(client.read(5000, 1)).rejects.toThrow(/injected/);
    expect((await client.read(0, 4096)).length).toBe(4096);
    device.inject({ operation: "write", code: "ENOSPC" });
    await expect(client.write(0, Buffer.from("x"))).rejects.toEqual(errnoOf("ENOSPC"));
    device.inject({ operation: "extents", code: "EIO" });
    await expect(client.extents(0, MIB)).rejects.toEqual(errnoOf("EIO"));
    expect(failures.map((failure) => failure.command)).toEqual(["read", "read", "write", "blockStatus"]);
  });

  test("closing answers what is under way and then ends the connections", async () => {
    const device = faultyDevice(memoryDevice(MIB));
    device.inject({ operation: "read", delayMs: 80 });
    const server = await serve(device);
    const client = await newClient();
    const reads = [client.read(0, 10), client.read(10, 10)];
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await server.close();
    expect((await Promise.all(reads)).map((bytes) => bytes.length)).toEqual([10, 10]);
    await expect(client.read(0, 1)).rejects.toEqual(codeOf("nbd.disconnected"));
    expect(server.connections).toBe(0);
  });

  test("closing does not wait for a device that never answers longer than the drain timeout", async () => {
    const device = faultyDevice(memoryDevice(MIB));
    device.inject({ operation: "read", delayMs: 2_000 });
    const server = await serve(device, { drainTimeoutMs: 50 });
    const client = await newClient();
    const read = client.read(0, 10);
    read.catch(() => {});
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await server.close();
    await expect(read).rejects.toEqual(codeOf("nbd.disconnected"));
  });

  test("a client that asks without reading is held back, and the others are served", async () => {
    const device = faultyDevice(memoryDevice(64 * MIB));
    await device.write(0, Buffer.alloc(64 * MIB, 7));
    await serve(device, { limits: { requestsMax: 8, bytesMax: 8 * MIB } });
    const greedy = await rawSession();
    greedy.socket.pause();
    greedy.socket.write(Buffer.concat(Array.from({ length: 500 }, () => request(0, 0, MIB))));
    const client = await newClient();
    for (let turn = 0; turn < 10; turn += 1) expect((await client.read(turn, 1))[0]).toBe(7);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    expect(device.calls("read")).toBeLessThan(10 + 8 + 20);
    greedy.socket.destroy();
  });

  test("a client whose server vanishes gets an error for every request under way", async () => {
    const device = faultyDevice(memoryDevice(MIB));
    device.inject({ operation: "read", delayMs: 3_000 });
    const server = await serve(device, { drainTimeoutMs: 1 });
    const client = await newClient();
    const reads = Promise.allSettled([client.read(0, 1), client.flush().then(() => client.read(1, 1))]);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await server.close();
    for (const read of await reads) {
      expect(read.status === "rejected" && nbdErrors.is(read.reason, "disconnected")).toBe(true);
    }
  });
});

describe("hostile clients", () => {
  test("lengths and places out of range are refused and the connection goes on", async () => {
    await serve(memoryDevice(MIB));
    const raw = await rawSession();
    const cases: readonly (readonly [Buffer, number])[] = [
      [request(0, MIB, 1), 22],
      [request(0, 0, 33 * MIB), 22],
      [request(0, 2 ** 63, 512), 22],
      [request(6, MIB - 1, 2), 28],
      [request(4, 0, 2 ** 32 - 1), 28],
      [request(99, 0, 0), 22],
      [request(3, 1, 0), 22],
      [request(7, 0, 4096), 22],
      [request(0, 0, 1, 4), 22],
      [Buffer.concat([request(1, MIB - 1, 3), Buffer.from("xyz")]), 28],
      [Buffer.concat([request(1, 0, 34 * MIB), Buffer.alloc(34 * MIB)]), 22],
    ];
    for (const [bytes, errno] of cases) {
      raw.socket.write(bytes);
      expect(await raw.errno()).toBe(errno);
    }
    raw.socket.destroy();
  });

  test("a request split into single bytes is understood", async () => {
    await serve(memoryDevice(MIB));
    const raw = await rawSession();
    for (const byte of Buffer.concat([request(1, 0, 3), Buffer.from("abc")])) {
      raw.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(await raw.errno()).toBe(0);
    raw.socket.destroy();
  });

  test("a wrong magic ends the connection", async () => {
    await serve(memoryDevice(MIB));
    const raw = await rawSession();
    raw.socket.write(Buffer.alloc(28, 0xee));
    await raw.closed;
  });

  test("one who says nothing is shown out", async () => {
    const server = await serve(memoryDevice(MIB), { handshakeTimeoutMs: 30 });
    const raw = rawSocket();
    await raw.closed;
    await server.close();
    expect(server.connections).toBe(0);
  });

  test(`random bytes neither crash the server nor hang a connection (seed ${SEED})`, async () => {
    const device = memoryDevice(MIB);
    const server = await serve(device, { handshakeTimeoutMs: 300 });
    const random = seededRandom(SEED);
    const endings = Array.from({ length: 60 }, async () => {
      const raw = random() < 0.5 ? rawSocket() : await rawSession();
      raw.socket.end(hostileBytes(random));
      await raw.closed;
    });
    await Promise.all(endings);
    expect((await (await newClient()).read(0, 100)).length).toBe(100);
    expect(server.connections).toBeLessThanOrEqual(1);
  });
});

/** Options and requests with some of their bytes changed, and noise. */
function hostileBytes(random: () => number): Buffer {
  const parts: Buffer[] = [];
  const count = 1 + Math.floor(random() * 20);
  for (let index = 0; index < count; index += 1) {
    const data = Buffer.from(
      Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256)),
    );
    const kind = random();
    const part =
      kind < 0.4
        ? encodeOption(Math.floor(random() * 13), data)
        : kind < 0.9
          ? request(Math.floor(random() * 9), Math.floor(random() * 2 ** 21), Math.floor(random() * 9000))
          : data;
    if (random() < 0.2 && part.length > 0)
      part[Math.floor(random() * part.length)] = Math.floor(random() * 256);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function request(type: number, offset: number, length: number, flags = 0): Buffer {
  return encodeRequest({ type, flags, offset, length, handle: { high: 1, low: 2 } });
}

type Raw = Wire & {
  /** The error number of the next simple reply. */
  errno(): Promise<number>;
};

function rawSocket(): Raw {
  const wire = new Wire(connect({ path }));
  const errno = async (): Promise<number> => {
    const reply = await wire.read(SIMPLE_REPLY_BYTES);
    expect(reply.readUInt32BE(0)).toBe(SIMPLE_REPLY_MAGIC);
    return reply.readUInt32BE(4);
  };
  return Object.assign(wire, { errno });
}

/** Shakes hands by EXPORT_NAME, so that all replies are simple. */
async function rawSession(): Promise<Raw> {
  const raw = rawSocket();
  await raw.read(18);
  raw.send([Buffer.from([0, 0, 0, 3]), encodeOption(OPTION.exportName, Buffer.alloc(0))]);
  await raw.read(10);
  return raw;
}
