/** The module on a real PostgreSQL: its routes, its scopes, its restarts. */

import { readFileSync, writeFileSync } from "node:fs";
import { newUuid } from "@mainstay/kit";
import {
  type CaptureSource,
  type Client,
  type CustomerId,
  type Device,
  deviceId as deviceIdSchema,
  restorePointId,
  routes,
  runId,
} from "@mainstay/contract";
import { createDirectory, directoryDeclaration } from "@mainstay/directory";
import {
  type AgentLink,
  type OpenedPlatform,
  describeSchemas,
  scopeOf,
  unprotectedTables,
} from "@mainstay/platform";
import { serveTest, testPlatform, type TestServer } from "@mainstay/platform/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createProtection, protectionDeclaration } from "./module.ts";
import { claimLocalVault } from "./vaults/vault-store.ts";

let platform: OpenedPlatform;
let server: TestServer;
let owner: Client;
let refreshed: string[];
let connected: boolean;
let closing: (() => Promise<void>)[];

/** Agents as the server's board shows them; what is asked of them is written down. */
const agents: AgentLink = {
  isConnected: () => connected,
  refresh: (tx, id) => tx.afterCommit(() => refreshed.push(id)),
  queueWork: async (_tx, device, work) => {
    refreshed.push(`${work.kind} ${device.deviceId}`);
  },
};

beforeEach(async () => {
  refreshed = [];
  connected = true;
  platform = await testPlatform({
    sources: [directoryDeclaration, protectionDeclaration],
    address: () => server.address,
  });
  const directory = createDirectory(platform);
  const protection = await createProtection({ platform, directory: directory.door, agents });
  server = await serveTest(platform, { modules: [directory.handlers, protection.handlers] });
  await platform.database.asSystem("vault", (tx) => claimLocalVault(tx, platform.clock.now()));
  owner = await server.owner();
  closing = [() => server.close(), async () => protection.stop?.(), () => platform.close()];
});
afterEach(async () => {
  for (const close of closing) await close();
});

async function newDevice(customerName = "North"): Promise<Device> {
  const customer = await owner.customers.create({ body: { name: customerName } });
  const site = await owner.sites.create({ body: { customerId: customer.id, name: "Main", timeZone: "UTC" } });
  const body = { customerId: customer.id, siteId: site.id, name: "SRV-1", kind: "server" } as const;
  return await owner.devices.create({ body });
}

const planBody = (customerId: CustomerId | null, name = "Gold") => ({
  customerId,
  name,
  rpoMinutes: 60,
  retention: { last: 3, hourly: 0, daily: 7, weekly: 0, monthly: 0, yearly: 0 },
  replicateTo: null,
  restoreTestEveryHours: 24,
  bandwidthCapBytesPerSecond: null,
});

describe("plans", () => {
  test("are made, changed, followed, and not removed while followed", async () => {
    const device = await newDevice();
    const plan = await owner.protectionPlans.create({ body: planBody(null) });
    await owner.deviceProtection.update({ params: { deviceId: device.id }, body: { planId: plan.id } });
    const params = { protectionPlanId: plan.id };
    expect(await owner.protectionPlans.update({ params, body: { rpoMinutes: 15 } })).toMatchObject({
      rpoMinutes: 15,
      devices: 1,
    });
    expect(refreshed).toEqual([device.id, device.id]);
    await expect(owner.protectionPlans.remove({ params })).rejects.toMatchObject({
      code: "request.conflict",
    });
    await owner.deviceProtection.update({ params: { deviceId: device.id }, body: { planId: null } });
    await owner.protectionPlans.remove({ params });
    await expect(owner.protectionPlans.read({ params })).rejects.toMatchObject({ code: "request.not-found" });
  });

  test("of one owner have different names; another customer's cannot be followed", async () => {
    const [north, south] = [await newDevice(), await newDevice("South")];
    const plan = await owner.protectionPlans.create({ body: planBody(north.customerId) });
    await owner.protectionPlans.create({ body: planBody(south.customerId) });
    await expect(owner.protectionPlans.create({ body: planBody(north.customerId) })).rejects.toMatchObject({
      code: "request.conflict",
    });
    const update = owner.deviceProtection.update({
      params: { deviceId: south.id },
      body: { planId: plan.id },
    });
    await expect(update).rejects.toMatchObject({ code: "request.conflict" });
  });

  test("list in pages by name", async () => {
    for (const name of ["c", "a", "b"]) await owner.protectionPlans.create({ body: planBody(null, name) });
    const first = await owner.protectionPlans.list({ query: { limit: 2 } });
    expect(first.items.map((plan) => plan.name)).toEqual(["a", "b"]);
    const second = await owner.protectionPlans.list({ query: { limit: 2, cursor: first.next ?? "" } });
    expect(second).toMatchObject({ items: [{ name: "c" }], next: null });
  });
});

describe("what a device is protected by", () => {
  const sql = {
    kind: "sql",
    name: "rows",
    engine: "postgresql",
    port: 5432,
    database: "shop",
    user: "shop",
    query: "select 1",
  } as const;

  test("never shows a probe's password, and keeps it when the probe is given without", async () => {
    const { id } = await newDevice();
    const params = { deviceId: id };
    const set = await owner.deviceProtection.update({
      params,
      body: { probes: [{ ...sql, password: "secret-word" }] },
    });
    expect(JSON.stringify(set)).not.toContain("secret-word");
    await owner.deviceProtection.update({ params, body: { probes: [{ ...sql, query: "select 2" }] } });
    const [row] = await platform.database.asSystem("look", (tx) =>
      tx.query<{ probes: unknown; probe_secrets: Buffer }>(
        "select probes, probe_secrets from protection.device_protection",
      ),
    );
    expect(JSON.stringify(row?.probes)).not.toContain("secret-word");
    const kept = platform.keys.wrapper.unwrap(row?.probe_secrets ?? Buffer.alloc(0), `probe-secrets ${id}`);
    expect(JSON.parse(kept)).toEqual({ rows: "secret-word" });
    expect(JSON.stringify(await owner.audit.list({}))).not.toContain("secret-word");
  });

  test("holds disks or files, not both, and no name twice", async () => {
    const params = { deviceId: (await newDevice()).id };
    const raw: CaptureSource = { kind: "raw", name: "sda", path: "/dev/sda" };
    const files: CaptureSource = { kind: "files", name: "home", paths: ["/home"] };
    for (const sources of [
      [raw, files],
      [raw, raw],
    ])
      await expect(owner.deviceProtection.update({ params, body: { sources } })).rejects.toMatchObject({
        code: "request.conflict",
      });
  });
});

test("a backup wants something to capture and an agent that is there", async () => {
  const { id } = await newDevice();
  const start = () => owner.runs.start({ params: { deviceId: id }, body: { kind: "backup" } });
  await expect(start()).rejects.toMatchObject({ code: "protection.no-plan", status: 409 });
  const sources = [{ kind: "raw", name: "sda", path: "/dev/sda" } as const];
  await owner.deviceProtection.update({ params: { deviceId: id }, body: { sources } });
  connected = false;
  await expect(start()).rejects.toMatchObject({ code: "protection.agent-away" });
  connected = true;
  const run = await start();
  expect(run).toMatchObject({ kind: "backup", state: "queued" });
  expect((await start()).id).toBe(run.id);
  expect(refreshed).toContain(`backup-now ${id}`);
});

test("a device without restore points is not protected, and says why", async () => {
  const device = await newDevice();
  const plan = await owner.protectionPlans.create({ body: planBody(null) });
  await owner.deviceProtection.update({ params: { deviceId: device.id }, body: { planId: plan.id } });
  const overview = await owner.overview.read();
  expect(overview.devices).toEqual({ protected: 0, "at-risk": 0, "not-protected": 1, "not-measured": 0 });
  const [shown] = overview.customers[0]?.devices ?? [];
  expect(shown?.protection).toMatchObject({
    verdict: "not-protected",
    reasons: [{ code: "no-restore-point" }],
    rpoAttainedMinutes: null,
    lastProvenAt: null,
    rtoAttainedMs: null,
  });
});

test("a peer is invited with a text that is shown once, and shut out when revoked", async () => {
  const { peer, text } = await owner.peers.invite({ body: { name: "Branch" } });
  expect(text.startsWith("msp1.")).toBe(true);
  expect(JSON.stringify(await owner.peers.list())).not.toContain(text.slice(20, 60));
  expect(await owner.peers.revoke({ params: { peerId: peer.id } })).toMatchObject({ state: "revoked" });
});

test("a vault whose invitation leads nowhere is not kept", async () => {
  const create = owner.vaults.create({
    body: { kind: "mainstay", name: "Branch", invitation: "msp1.nonsense" },
  });
  await expect(create).rejects.toMatchObject({ code: "request.invalid" });
  expect((await owner.vaults.list({})).items).toMatchObject([{ kind: "local", name: "This server" }]);
});

test("runs that a former process left open are interrupted at the start, and queued anew", async () => {
  const device = await newDevice();
  const id = runId.parse(newUuid());
  await platform.database.asSystem("left open", (tx) =>
    tx.query(
      `insert into protection.run (id, customer_id, device_id, kind, state, queued_at, started_at)
       values ($1, $2, $3, 'verification', 'running', now(), now())`,
      [id, device.customerId, device.id],
    ),
  );
  const again = await createProtection({ platform, directory: createDirectory(platform).door, agents });
  await again.start?.();
  closing.unshift(async () => again.stop?.());
  expect(await owner.runs.read({ params: { runId: id } })).toMatchObject({
    state: "interrupted",
    error: { code: "server.interrupted" },
  });
  const { items } = await owner.runs.list({ query: { deviceId: device.id, kind: "verification" } });
  expect(items).toHaveLength(2);
});

test("one customer's scope sees nothing of another's", async () => {
  const [north, south] = [await newDevice(), await newDevice("South")];
  for (const device of [north, south])
    await owner.deviceProtection.update({ params: { deviceId: device.id }, body: { sources: [] } });
  const rows = await platform.database.inScope(scopeOf(south.customerId), (tx) =>
    tx.query<{ device_id: string }>("select device_id from protection.device_protection"),
  );
  expect(rows).toEqual([{ device_id: south.id }]);
  expect(await unprotectedTables(platform.database.pool)).toEqual([]);
});

test("what is not there is not found, whatever is asked of it", async () => {
  const deviceId = deviceIdSchema.parse(newUuid());
  const point = restorePointId.parse("0".repeat(64));
  const asked = [
    () => owner.deviceProtection.read({ params: { deviceId } }),
    () => owner.overview.device({ params: { deviceId } }),
    () => owner.restorePoints.list({ query: { deviceId } }),
    () => owner.restorePoints.read({ params: { restorePointId: point } }),
    () => owner.restoreTests.start({ body: { deviceId } }),
    () => owner.runs.start({ params: { deviceId }, body: { kind: "verification" } }),
  ];
  for (const ask of asked)
    await expect(ask()).rejects.toMatchObject({ code: "request.not-found", status: 404 });
});

test("every route of its areas has a handler", async () => {
  const protection = await createProtection({ platform, directory: createDirectory(platform).door, agents });
  for (const [area, handlers] of Object.entries(protection.handlers)) {
    const declared = Object.entries(routes).find(([name]) => name === area)?.[1] ?? {};
    expect(Object.keys(handlers ?? {}).toSorted()).toEqual(Object.keys(declared).toSorted());
  }
});

test("the schema is the golden one (UPDATE_GOLDEN=1 writes it)", async () => {
  const golden = new URL("./migrations/schema.golden.txt", import.meta.url);
  const made = await describeSchemas(platform.database.pool, ["protection"]);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, made);
  expect(made).toBe(readFileSync(golden, "utf8"));
});
