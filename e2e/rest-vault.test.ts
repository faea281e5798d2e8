/** Our client and our server of restic's REST protocol with each other, under the contract of all backends. */

import { execFile } from "node:child_process";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createPacer,
  createRestBackend,
  openBackend,
  parseRestAddress,
  vaultErrors,
  type FileRef,
} from "@mainstay/vault";
import { describeBackendContract } from "@mainstay/vault/testing";
import { portOf, startVaultServer, type VaultServer } from "./rest-vault-server.ts";

const run = promisify(execFile);
const ONCE = { retries: { attemptsMax: 1 } };

describeBackendContract("the REST client with our server", async () => {
  const server = await startVaultServer();
  const open = () => openBackend(server.location);
  return { backend: open(), reopen: open, dispose: () => server.close() };
});

function pack(sizeBytes: number): { readonly file: FileRef; readonly bytes: Buffer } {
  const bytes = randomBytes(sizeBytes);
  return { file: { kind: "data", name: createHash("sha256").update(bytes).digest("hex") }, bytes };
}

function failsAs(name: Parameters<typeof vaultErrors.is>[1]): (cause: unknown) => boolean {
  return (cause) => {
    if (cause instanceof Error) expect(cause.message).not.toContain("secret");
    return vaultErrors.is(cause, name);
  };
}

describe("the REST client", () => {
  let server: VaultServer;
  beforeAll(async () => {
    server = await startVaultServer();
    await openBackend(server.location).create();
  });
  afterAll(() => server.close());

  test("names its place without credentials", () => {
    expect(openBackend(server.location).location).toBe(`rest:${server.url}`);
  });

  test("is refused with a wrong password, and for another's repository", async () => {
    const { file, bytes } = pack(1_000_000);
    const wrong = openBackend(`rest:${server.url}`, {
      credentials: { user: "device", password: "secret2" },
      ...ONCE,
    });
    await expect(wrong.stat(file)).rejects.toSatisfy(failsAs("backend-refused"));
    await expect(wrong.write(file, [bytes])).rejects.toSatisfy(failsAs("backend-refused"));
    const other = openBackend(server.location.replace("/device/", "/other/"), ONCE);
    await expect(other.read(file)).rejects.toSatisfy(failsAs("backend-refused"));
  });

  test("is told when nothing may be removed, and when the room is used up", async () => {
    const { file, bytes } = pack(1000);
    const backend = openBackend(server.location, ONCE);
    await backend.write(file, [bytes]);
    server.setMode("append-only");
    await expect(backend.remove(file)).rejects.toSatisfy(failsAs("backend-refused"));
    server.setMode("full");
    server.leaveRoom(10);
    const another = pack(5_000_000);
    await expect(backend.write(another.file, [another.bytes])).rejects.toSatisfy(failsAs("backend-full"));
    server.leaveRoom(Infinity);
    await backend.write(another.file, [another.bytes]);
    await backend.close();
  });

  test("finds nobody where nobody listens", async () => {
    const nobody = openBackend("rest:http://device:secret@127.0.0.1:1/", ONCE);
    await expect(nobody.create()).rejects.toSatisfy(failsAs("backend-unreachable"));
  });

  test("keeps its pace on the wire in both directions", async () => {
    const { file, bytes } = pack(600_000);
    const pacing = { sent: createPacer(2_000_000), received: createPacer(2_000_000) };
    const backend = openBackend(server.location, { pacing, ...ONCE });
    for (const move of [() => backend.write(file, [bytes]), () => backend.read(file)]) {
      const started = performance.now();
      await move();
      expect(performance.now() - started).toBeGreaterThan(180);
    }
    await backend.close();
  });

  test("stops in the middle of an upload when told", async () => {
    const { file, bytes } = pack(1_000_000);
    const backend = openBackend(server.location, { pacing: { sent: createPacer(500_000) } });
    const signal = AbortSignal.timeout(100);
    await expect(backend.write(file, [bytes], signal)).rejects.toThrow(/timeout|abort/i);
    expect(await backend.stat(file)).toBeUndefined();
    await backend.close();
  });
});

test("a server of version 1 that knows no ranges is enough", async () => {
  const { file, bytes } = pack(5000);
  const server = createServer((request, response) => {
    if (request.url === "/data/") response.end(JSON.stringify([file.name]));
    else if (request.url === `/data/${file.name}`) response.setHeader("content-length", 5000).end(bytes);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  const backend = openBackend(`rest:http://127.0.0.1:${port}`, ONCE);
  expect(await Array.fromAsync(backend.list("data"))).toEqual([{ name: file.name, sizeBytes: 5000 }]);
  expect(Buffer.from(await backend.read(file, { offset: 100, length: 50 }))).toEqual(
    bytes.subarray(100, 150),
  );
  await expect(backend.read(file, { offset: 4999, length: 2 })).rejects.toSatisfy(failsAs("file-truncated"));
  await expect(Array.fromAsync(backend.list("keys"))).rejects.toSatisfy(failsAs("backend-refused"));
  await backend.close();
  server.closeAllConnections();
  server.close();
});

test.each([
  ["half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"],
  ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
])("a server that sends %s does not answer", async (_, answer) => {
  const server = createServer();
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  const backend = openBackend(`rest:http://127.0.0.1:${port}/`, ONCE);
  await expect(backend.read({ kind: "config", name: "" })).rejects.toSatisfy(failsAs("backend-unreachable"));
  await backend.close();
  server.closeAllConnections();
  server.close();
});

describe("over HTTPS", () => {
  let server: VaultServer;
  let certificate: string;
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "e2e-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=vault", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"];
    await run("openssl", ["req", "-x509", "-newkey", "ed25519", "-keyout", key, "-out", cert, ...subject]);
    certificate = await readFile(cert, "utf8");
    server = await startVaultServer({ key: await readFile(key, "utf8"), cert: certificate });
    await rm(folder, { recursive: true });
  });
  afterAll(() => server.close());

  const open = (trust?: Parameters<typeof createRestBackend>[1]) =>
    createRestBackend(parseRestAddress(server.location.slice(5)), trust);

  test("an unknown certificate is not believed", async () => {
    const backend = open();
    await expect(backend.create()).rejects.toSatisfy(failsAs("backend-unreachable"));
  });

  test("a given authority is believed", async () => {
    const backend = open({ trust: { kind: "authority", certificate } });
    await backend.create();
    await backend.close();
  });

  test("a pinned certificate or key is believed, and no other", async () => {
    const parsed = new X509Certificate(certificate);
    const spki = parsed.publicKey.export({ type: "spki", format: "der" });
    const keyPin = createHash("sha256").update(spki).digest("hex");
    for (const trust of [
      { kind: "pinned", of: "certificate", sha256: parsed.fingerprint256 },
      { kind: "pinned", of: "public-key", sha256: keyPin },
    ] as const) {
      const backend = open({ trust });
      const { file, bytes } = pack(100_000);
      await backend.create();
      await backend.write(file, [bytes]);
      expect(Buffer.from(await backend.read(file)).equals(bytes)).toBe(true);
      await backend.close();
    }
    const backend = open({ trust: { kind: "pinned", of: "public-key", sha256: "0".repeat(64) } });
    await expect(backend.create()).rejects.toSatisfy(failsAs("backend-refused"));
  });
});
