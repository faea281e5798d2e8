import { readFileSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  allRoutes,
  ApiError,
  createClient,
  customerId,
  decodeEnrolmentTicket,
  decodePeerTicket,
  encodeEnrolmentTicket,
  enrolmentTicket,
  handshakeTranscript,
  openApiDocument,
  routes,
  urlOf,
} from "./index.ts";

const GOLDEN = new URL("./openapi.golden.json", import.meta.url);

test("the OpenAPI document is the golden one (UPDATE_GOLDEN=1 writes it)", () => {
  const made = `${JSON.stringify(openApiDocument(), null, 1)}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(GOLDEN, made);
  expect(made).toBe(readFileSync(GOLDEN, "utf8"));
});

test("every reference of the document leads somewhere", () => {
  const text = JSON.stringify(openApiDocument());
  const schemas = new Set(Object.keys(JSON.parse(text).components.schemas));
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  expect(references.length).toBeGreaterThan(100);
  expect(references.filter((name) => !schemas.has(name))).toEqual([]);
  expect(text).not.toContain("$defs");
});

test("no two routes share method and path, and each path parameter is declared", () => {
  const seen = new Set<string>();
  for (const { name, route } of allRoutes()) {
    const key = `${route.method} ${route.path}`;
    expect(seen, name).not.toContain(key);
    seen.add(key);
    const named = [...route.path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1] ?? "");
    expect(Object.keys(route.params?.shape ?? {}), name).toEqual(named);
    expect(route.path.startsWith(route.access === "peer" ? "/peer/" : "/api/"), name).toBe(true);
  }
});

test("the client fills path and query, and leaves out what is undefined", () => {
  const url = urlOf(routes.sites.update, {
    params: { siteId: "a b/c" },
    query: { limit: 3, cursor: undefined },
  });
  expect(url).toBe("/api/sites/a%20b%2Fc?limit=3");
});

test("the client hands back what the server answered, and an error as ApiError", async () => {
  const answers = [
    Response.json({
      items: [{ id: crypto.randomUUID(), name: "A", state: "active", createdAt: "2026-01-01T00:00:00.000Z" }],
      next: null,
    }),
    Response.json(
      { error: { code: "request.conflict", message: "taken", values: { name: "A" } } },
      { status: 409 },
    ),
    new Response("<html>", { status: 200 }),
  ];
  const client = createClient({
    baseUrl: "https://server",
    fetch: async () => answers.shift() ?? Response.error(),
  });
  expect((await client.customers.list()).items[0]?.name).toBe("A");
  await expect(client.customers.create({ body: { name: "A" } })).rejects.toMatchObject({
    status: 409,
    code: "request.conflict",
  });
  await expect(client.customers.list()).rejects.toMatchObject({ code: "client.not-understood" });
});

test("a server that does not answer is an ApiError with status 0", async () => {
  const client = createClient({ baseUrl: "", fetch: () => Promise.reject(new TypeError("failed")) });
  await expect(client.sessions.read()).rejects.toBeInstanceOf(ApiError);
  await expect(client.sessions.read()).rejects.toMatchObject({ status: 0, code: "client.unreachable" });
});

test("an enrolment token survives its text, and other text is not one", () => {
  const ticket = enrolmentTicket.parse({
    address: "https://127.0.0.1:8443",
    tokenId: crypto.randomUUID(),
    secret: "s".repeat(43),
    identity: "i".repeat(43),
  });
  const text = encodeEnrolmentTicket(ticket);
  expect(decodeEnrolmentTicket(`  ${text}\n`)).toEqual(ticket);
  expect(decodePeerTicket(text)).toBeUndefined();
  fc.assert(fc.property(fc.string(), (noise) => decodeEnrolmentTicket(`mst1.${noise}`) === undefined));
});

test("the two signers of a handshake sign different bytes", () => {
  const transcript = {
    agentNonce: "a",
    serverNonce: "b",
    deviceKey: "c",
    exporter: new Uint8Array([1, 255]),
  };
  const server = new TextDecoder().decode(handshakeTranscript("server", transcript));
  expect(server).toBe("mainstay-agent-1 server\na\nb\nc\n01ff");
  expect(new TextDecoder().decode(handshakeTranscript("device", transcript))).not.toBe(server);
});

test("ids of different nouns do not mix", () => {
  const id = customerId.parse(crypto.randomUUID());
  // @ts-expect-error a customer is not a device
  const wrong: import("./index.ts").DeviceId = id;
  expect(wrong).toBe(id);
});
