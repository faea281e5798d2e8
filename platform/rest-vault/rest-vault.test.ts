import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseRange } from "./answers.ts";
import {
  createRestVault,
  type VaultAccess,
  type RestVaultOptions,
  type VaultStoredEvent,
} from "./rest-vault.ts";

const BYTES = randomBytes(3000);
const NAME = createHash("sha256").update(BYTES).digest("hex");

let folder: string;
let server: Server;
let access: VaultAccess;
let mayStore: (sizeBytes: number) => boolean;
const stored: VaultStoredEvent[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rest-vault-"));
  access = allowed("full");
  mayStore = () => true;
  stored.length = 0;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

function allowed(mode: "full" | "append-only" | "read-only"): VaultAccess {
  return { kind: "allowed", folder: join(folder, "device"), mode, mayStore: (size) => mayStore(size) };
}

async function start(options: Partial<RestVaultOptions> = {}): Promise<string> {
  const vault = createRestVault({
    prefix: "/vault",
    authorize: ({ user, password, repository }) => {
      if (user !== "device" || password !== "p:ä") return { kind: "unknown" };
      return repository === "device" ? access : { kind: "forbidden" };
    },
    onStored: (event) => stored.push(event),
    ...options,
  });
  server = createServer((request, response) => void vault(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${portOf(server)}/vault/device`;
}

function portOf(listening: Server): number {
  // A server that listens on a port has this kind of address.
  return (listening.address() as AddressInfo).port;
}

const authorization = `Basic ${Buffer.from("device:p:ä").toString("base64")}`;
type Asked = { readonly body?: Buffer; readonly headers?: Readonly<Record<string, string>> };

async function ask(url: string, method = "GET", init: Asked = {}): Promise<Response> {
  return fetch(url, { method, ...init, headers: { authorization, ...init.headers } });
}

test("makes a repository, takes a file, lists it in both versions, gives it and ranges of it, removes it", async () => {
  const url = await start();
  expect((await ask(`${url}/`, "POST")).status).toBe(405);
  expect((await ask(`${url}/data/`)).status).toBe(404);
  expect((await ask(`${url}/?create=true`, "POST")).status).toBe(200);
  expect((await ask(`${url}/?create=true`, "POST")).status).toBe(200);
  expect((await ask(`${url}/data/${NAME}`, "POST", { body: BYTES })).status).toBe(200);
  expect((await ask(`${url}/data/${NAME}`, "POST", { body: BYTES })).status).toBe(200);
  expect(stored).toEqual([{ repository: "device", kind: "data", sizeBytes: 3000 }]);

  const version1 = await ask(`${url}/data/`);
  expect(version1.headers.get("content-type")).toBe("application/vnd.x.restic.rest.v1");
  expect(await version1.json()).toEqual([NAME]);
  const version2 = await ask(`${url}/data/`, "GET", {
    headers: { accept: "application/vnd.x.restic.rest.v2" },
  });
  expect(version2.headers.get("content-type")).toBe("application/vnd.x.restic.rest.v2");
  expect(await version2.json()).toEqual([{ name: NAME, size: 3000 }]);

  const head = await ask(`${url}/data/${NAME}`, "HEAD");
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "3000"]);
  expect(Buffer.from(await (await ask(`${url}/data/${NAME}`)).arrayBuffer())).toEqual(BYTES);
  const part = await ask(`${url}/data/${NAME}`, "GET", { headers: { range: "bytes=10-19" } });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 10-19/3000"]);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(BYTES.subarray(10, 20));
  const beyond = await ask(`${url}/data/${NAME}`, "GET", { headers: { range: "bytes=3000-" } });
  expect(beyond.status).toBe(416);

  expect((await ask(`${url}/data/${NAME}`, "DELETE")).status).toBe(200);
  expect((await ask(`${url}/data/${NAME}`, "DELETE")).status).toBe(404);
  expect((await ask(`${url}/data/${NAME}`, "HEAD")).status).toBe(404);
});

test("content that is not what its name says is not kept, nor any trace of it", async () => {
  const url = await start();
  await ask(`${url}/?create=true`, "POST");
  const answer = await ask(`${url}/keys/${NAME}`, "POST", { body: BYTES.subarray(1) });
  expect(answer.status).toBe(400);
  expect(await readdir(join(folder, "device", "keys"))).toEqual([]);
  expect(stored).toEqual([]);
});

test("a config is never replaced by another", async () => {
  const url = await start();
  await ask(`${url}/?create=true`, "POST");
  expect((await ask(`${url}/config`, "POST", { body: BYTES })).status).toBe(200);
  expect((await ask(`${url}/config`, "POST", { body: BYTES })).status).toBe(200);
  expect((await ask(`${url}/config`, "POST", { body: BYTES.subarray(1) })).status).toBe(403);
  expect(Buffer.from(await (await ask(`${url}/config`)).arrayBuffer())).toEqual(BYTES);
});

test("append-only: everything can be added, nothing but locks removed", async () => {
  const url = await start();
  access = allowed("append-only");
  await ask(`${url}/?create=true`, "POST");
  for (const kind of ["data", "keys", "snapshots", "index", "locks"]) {
    expect((await ask(`${url}/${kind}/${NAME}`, "POST", { body: BYTES })).status, kind).toBe(200);
    const expected = kind === "locks" ? 200 : 403;
    expect((await ask(`${url}/${kind}/${NAME}`, "DELETE")).status, kind).toBe(expected);
  }
  expect((await ask(`${url}/config`, "DELETE")).status).toBe(403);
  expect((await ask(`${url}/`, "DELETE")).status).toBe(405);
});

test("read-only: nothing but locks can be written", async () => {
  const url = await start();
  await ask(`${url}/?create=true`, "POST");
  access = allowed("read-only");
  expect((await ask(`${url}/data/${NAME}`, "POST", { body: BYTES })).status).toBe(403);
  expect((await ask(`${url}/locks/${NAME}`, "POST", { body: BYTES })).status).toBe(200);
  expect((await ask(`${url}/?create=true`, "POST")).status).toBe(403);
});

test("wrong or missing credentials get 401, another's repository 403, and nothing is made", async () => {
  const url = await start();
  const wrong = `Basic ${Buffer.from("device:wrong").toString("base64")}`;
  for (const header of ["", wrong, "Bearer x", "Basic !!!", `Basic ${"A".repeat(5000)}`]) {
    const answer = await ask(`${url}/?create=true`, "POST", { headers: { authorization: header } });
    expect(answer.status, header.slice(0, 20)).toBe(401);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Basic/);
  }
  expect((await ask(url.replace("/device", "/other/config"))).status).toBe(403);
  expect(await readdir(folder)).toEqual([]);
});

test("a used-up quota and a file that is too large are told before the upload is kept", async () => {
  const url = await start({ fileBytesMax: 5000 });
  await ask(`${url}/?create=true`, "POST");
  const large = await ask(`${url}/data/${NAME}`, "POST", { body: Buffer.alloc(1_000_000) });
  expect(large.status).toBe(413);
  mayStore = (sizeBytes) => sizeBytes < 3000;
  const full = await ask(`${url}/data/${NAME}`, "POST", { body: BYTES });
  expect([full.status, await full.text()]).toEqual([507, "the quota of this repository is used up\n"]);
  mayStore = () => true;
  expect((await ask(`${url}/data/${NAME}`, "POST", { body: BYTES })).status).toBe(200);
});

test("an upload that breaks off leaves nothing, and is not blamed on the server", async () => {
  const failures: unknown[] = [];
  const url = await start({ onFailure: (cause) => failures.push(cause) });
  await ask(`${url}/?create=true`, "POST");
  const socket = connect(portOf(server), "127.0.0.1");
  socket.write(
    `POST /vault/device/keys/${NAME} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: 3000\r\n\r\n`,
  );
  socket.write(BYTES.subarray(0, 1000));
  const keys = join(folder, "device", "keys");
  await expect.poll(() => readdir(keys)).toHaveLength(1);
  socket.destroy();
  await expect.poll(() => readdir(keys)).toEqual([]);
  expect(failures).toEqual([]);
});

test.each([
  "/vault/../../etc/passwd",
  "/vault/device/../device/config",
  "/vault/device%2f..%2fother/config",
  "/vault//config",
  "/vaultdevice/config",
  "/vault/device/data/..%2f..%2fconfig",
  "*",
])("the raw request for %s finds nothing", async (path) => {
  await start();
  const socket = connect(portOf(server), "127.0.0.1");
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`,
  );
  expect(await text(socket)).toMatch(/^HTTP\/1.1 404 /);
});

test.each([
  [undefined, { kind: "whole", start: 0, end: 100 }],
  ["bytes=0-0", { kind: "part", start: 0, end: 1 }],
  ["bytes=90-", { kind: "part", start: 90, end: 100 }],
  ["bytes=90-500", { kind: "part", start: 90, end: 100 }],
  ["bytes=-10", { kind: "part", start: 90, end: 100 }],
  ["bytes=-500", { kind: "part", start: 0, end: 100 }],
  ["bytes=100-", { kind: "beyond" }],
  ["bytes=5-4", { kind: "whole", start: 0, end: 100 }],
  ["bytes=0-1,3-4", { kind: "whole", start: 0, end: 100 }],
  ["bytes=-", { kind: "whole", start: 0, end: 100 }],
  ["lines=1-2", { kind: "whole", start: 0, end: 100 }],
])("the range %s of 100 bytes", (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected);
});
