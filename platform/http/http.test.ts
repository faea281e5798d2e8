import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:tls";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { allRoutes } from "@mainstay/contract";
import type { OpenedPlatform } from "../platform.ts";
import { jarFetch, serveTest, testPlatform, TEST_OWNER, type TestServer } from "../testing.ts";
import { liveSocket } from "./live-socket.ts";

let platform: OpenedPlatform;
let server: TestServer;
const logged: string[] = [];

beforeAll(async () => {
  platform = await testPlatform({ log: (text) => logged.push(text) });
  const consoleFolder = join(platform.dataDirectory, "console");
  await mkdir(join(consoleFolder, "assets"), { recursive: true });
  await writeFile(join(consoleFolder, "index.html"), "<html>console</html>");
  await writeFile(join(consoleFolder, "assets", "main-abc.js"), "1");
  server = await serveTest(platform, {
    consoleFolder,
    sockets: [liveSocket(platform.live)],
    rawMounts: [
      { prefix: "/restic/", handle: (request, response) => void response.end(`raw ${request.url}`) },
    ],
  });
});

afterAll(async () => {
  await server.close();
  await platform.close();
});

async function get(path: string, init: RequestInit = {}) {
  const response = await jarFetch()(`${server.address}${path}`, { method: "GET", ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function openSocket(
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly socket: WebSocket }> {
  const socket = new WebSocket(`${server.address.replace("https", "wss")}/api/events`, {
    rejectUnauthorized: false,
    headers,
  });
  return new Promise((done) => {
    socket.once("message", () => done({ status: 101, socket }));
    socket.once("unexpected-response", (_, response) => done({ status: response.statusCode ?? 0, socket }));
    socket.on("error", () => undefined);
  });
}

async function ownerCookie(): Promise<string> {
  if ((await server.visitor().setUp.read()).state === "needed") await server.owner();
  const response = await fetchSignIn();
  const line = response.headers.get("set-cookie") ?? "";
  expect(line).toMatch(/; Path=\/; .*HttpOnly; Secure; SameSite=Strict/);
  return line.split(";")[0] ?? "";
}

function fetchSignIn(): Promise<Response> {
  return jarFetch()(`${server.address}/api/sign-in`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(TEST_OWNER),
  });
}

test("pages answer the console's index, files themselves, and neither shadows the API", async () => {
  for (const path of ["/", "/customers/1/devices", "/sign-in/link"])
    expect(await get(path)).toMatchObject({ status: 200, text: "<html>console</html>" });
  expect((await get("/assets/main-abc.js")).headers.get("cache-control")).toContain("immutable");
  for (const path of ["/api/nothing", "/assets/missing.js", "/favicon.ico", "/%2e%2e/keys/master.key"]) {
    expect((await get(path)).text, path).not.toMatch(/root:|console/);
    expect((await get(path)).status, path).toBeGreaterThanOrEqual(400);
  }
});

test("every answer confines our page and lets no other frame it", async () => {
  for (const path of ["/", "/api/set-up", "/api/nothing"]) {
    const { headers } = await get(path);
    expect(headers.get("content-security-policy"), path).toContain("frame-ancestors 'none'");
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
  }
});

test("a body that is not JSON, not as wanted, or too large is told as such", async () => {
  const post = (body: string) =>
    get("/api/sign-in", { method: "POST", headers: { "content-type": "application/json" }, body });
  expect(await post("{")).toMatchObject({
    status: 400,
    text: expect.stringContaining("request.invalid") as string,
  });
  const invalid = await post('{"email": "x", "password": "y", "extra": 1}');
  expect(invalid.status).toBe(400);
  expect(JSON.parse(invalid.text).error.values.issues[0].path).toBe("body.email");
  expect(await post(JSON.stringify({ password: "x".repeat(1024 * 1024) }))).toMatchObject({
    status: 413,
    text: expect.stringContaining("request.too-large") as string,
  });
});

test("a failure that is not ours tells the number to look up and nothing else", async () => {
  await platform.database.asSystem("break", (tx) =>
    tx.query("select set_config('mainstay.nothing', 'x', true)"),
  );
  const { status, text } = await get("/api/audit?cursor=bm90IGpzb24", {
    headers: { cookie: await ownerCookie() },
  });
  expect([status, JSON.parse(text).error.code]).toEqual([400, "request.invalid"]);
  const failed = await get("/api/audit?customerId=00000000-0000-0000-0000-000000000000&subjectId=%00", {
    headers: { cookie: await ownerCookie() },
  });
  expect(failed.status).toBe(500);
  expect(JSON.parse(failed.text).error).toMatchObject({ code: "server.defect" });
  expect(failed.text).not.toMatch(/invalid byte|sql|audit\.entry/i);
  expect(logged.join("\n")).toContain(JSON.parse(failed.text).error.values.requestId);
});

test("requests below a raw mount reach it as they are", async () => {
  expect(await get("/restic/abc/config?create=true")).toMatchObject({
    status: 200,
    text: "raw /restic/abc/config?create=true",
  });
});

test("TLS below 1.3 is refused", async () => {
  const { port } = new URL(server.address);
  const socket = connect({
    port: Number(port),
    host: "127.0.0.1",
    rejectUnauthorized: false,
    maxVersion: "TLSv1.2",
  });
  await expect(
    new Promise((done, fail) => socket.once("secureConnect", done).once("error", fail)),
  ).rejects.toThrow();
});

test("live events are for the signed-in, from our own page, and arrive", async () => {
  expect((await openSocket({})).status).toBe(401);
  const cookie = await ownerCookie();
  expect((await openSocket({ cookie, origin: "https://evil.example" })).status).toBe(403);
  const { status, socket } = await openSocket({ cookie, origin: server.address });
  expect(status).toBe(101);
  const came = new Promise((done) =>
    socket.once("message", (data: Buffer) => done(JSON.parse(data.toString()))),
  );
  platform.live.tell({ type: "user.changed", customerId: null, deviceId: null, subjectId: "me" });
  expect(await came).toMatchObject({ type: "user.changed", subjectId: "me" });
  socket.close();
});

test("the server does not start while a route lacks its handler, or a handler its route", async () => {
  await expect(serveTest(platform, { routes: allRoutes() })).rejects.toThrow(/has a handler/);
  await expect(serveTest(platform, { routes: [] })).rejects.toThrow(/has none/);
});
