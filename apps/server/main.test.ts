import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient, type Client } from "@mainstay/contract";
import { jarFetch } from "@mainstay/platform/testing";
import { adminSignInLink } from "./admin.ts";
import { startServer, type RunningServer } from "./main.ts";

const OWNER = { email: "owner@example.test", password: "correct horse battery staple" };

let dataDirectory: string;
const logged: string[] = [];

beforeEach(async () => {
  logged.length = 0;
  dataDirectory = await mkdtemp(join(tmpdir(), "mainstay-server-"));
  await chmod(dataDirectory, 0o711);
});

afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

function start(): Promise<RunningServer> {
  return startServer({
    dataDirectory,
    listen: { host: "127.0.0.1", port: 0 },
    log: (text) => void logged.push(text),
  });
}

function visitor(address: string): Client {
  return createClient({ fetch: jarFetch(), baseUrl: address });
}

async function setUp({ address, setUpLink }: RunningServer): Promise<Client> {
  const client = visitor(address);
  const token = setUpLink?.split("#")[1] ?? "";
  await client.setUp.complete({ body: { token, providerName: "Provider", name: "Owner", ...OWNER } });
  return client;
}

test("it starts on an empty folder, is set up once, and keeps all of it over a restart", async () => {
  const first = await start();
  const owner = await setUp(first);
  await owner.customers.create({ body: { name: "Customer" } });
  await first.stop();
  const second = await start();
  expect(second.setUpLink).toBeUndefined();
  expect([second.identity, second.certificateSha256]).toEqual([first.identity, first.certificateSha256]);
  const client = visitor(second.address);
  await client.sessions.signIn({ body: OWNER });
  expect((await client.overview.read()).customers.map(({ customer }) => customer.name)).toEqual(["Customer"]);
  await second.stop();
  expect(logged).toEqual([]);
});

test("a second server on the same folder is refused, and the first goes on", async () => {
  const first = await start();
  await expect(start()).rejects.toMatchObject({ code: "folder.in-use" });
  expect((await visitor(first.address).setUp.read()).state).toBe("needed");
  await first.stop();
});

test("a taken port is told, and nothing is left running", async () => {
  const first = await start();
  const other = await mkdtemp(join(tmpdir(), "mainstay-server-"));
  await chmod(other, 0o711);
  const listen = { host: "127.0.0.1", port: Number(new URL(first.address).port) };
  await expect(startServer({ dataDirectory: other, listen, log: () => undefined })).rejects.toThrow(
    /another program listens there/,
  );
  await expect(readFile(join(other, "postgres", "postmaster.pid"))).rejects.toThrow(/ENOENT/);
  await first.stop();
  await rm(other, { recursive: true });
});

test("the machine's owner makes a sign-in link beside the running server, and not without one", async () => {
  const server = await start();
  await setUp(server);
  const link = new URL(await adminSignInLink(dataDirectory));
  const client = visitor(link.origin);
  const session = await client.sessions.signInByLink({ body: { token: link.hash.slice(1) } });
  expect(session.user.email).toBe(OWNER.email);
  await expect(adminSignInLink(dataDirectory, "nobody@example.test")).rejects.toMatchObject({
    code: "server-process.no-owner",
  });
  await server.stop();
  await expect(adminSignInLink(dataDirectory)).rejects.toMatchObject({ code: "server-process.not-running" });
});

async function startProcess(): Promise<{
  readonly child: ChildProcess;
  readonly address: string;
  readonly setUpLink: string;
}> {
  const script = `
    const { startServer } = await import(${JSON.stringify(new URL("./main.ts", import.meta.url).href)});
    const server = await startServer({ dataDirectory: process.argv[1], listen: { host: "127.0.0.1", port: 0 } });
    process.stdout.write(JSON.stringify({ address: server.address, setUpLink: server.setUpLink }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, dataDirectory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, ...(JSON.parse(said.toString()) as { address: string; setUpLink: string }) };
}

test("killed with -9, it starts again at once with everything that was answered", async () => {
  const { child, address, setUpLink } = await startProcess();
  const client = visitor(address);
  await client.setUp.complete({
    body: { token: setUpLink.split("#")[1] ?? "", providerName: "P", name: "Owner", ...OWNER },
  });
  for (const name of ["One", "Two", "Three"]) await client.customers.create({ body: { name } });
  child.kill("SIGKILL");
  const server = await start();
  const again = visitor(server.address);
  await again.sessions.signIn({ body: OWNER });
  expect((await again.customers.list()).items).toHaveLength(3);
  await server.stop();
});
