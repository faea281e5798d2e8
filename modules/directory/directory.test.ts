import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deviceId, type Client, type LiveEvent } from "@mainstay/contract";
import { fakeClock, newUuid, type FakeClock } from "@mainstay/kit";
import { describeSchemas, newToken, scopeOf, unprotectedTables, type Platform } from "@mainstay/platform";
import { serveTest, testPlatform, type TestServer } from "@mainstay/platform/testing";
import { deviceActivated, deviceEnrolled } from "./events.ts";
import { createDirectory, directoryDeclaration, type Directory } from "./module.ts";
import type { EnrolRequest } from "./enrolment.ts";
import { addTestCustomer } from "./testing.ts";

let clock: FakeClock;
let platform: Platform & { close(): Promise<void> };
let server: TestServer;
let owner: Client;
let door: Directory;

beforeEach(async () => {
  clock = fakeClock();
  platform = await testPlatform({ sources: [directoryDeclaration], clock });
  const directory = createDirectory(platform);
  await directory.start?.();
  door = directory.door;
  server = await serveTest(platform, { modules: [directory.handlers] });
  owner = await server.owner();
});

afterEach(async () => {
  await server.close();
  await platform.close();
});

async function newSite(name: string) {
  const customer = await owner.customers.create({ body: { name } });
  return owner.sites.create({ body: { customerId: customer.id, name: "Main", timeZone: "Europe/Berlin" } });
}

function enrolment(
  text: { readonly tokenId: string; readonly secret: string },
  deviceKey = newToken(),
): EnrolRequest {
  const facts = { hostName: "srv", operatingSystem: "Debian 12" };
  return {
    ...(text as EnrolRequest),
    deviceKey,
    name: "SRV-SQL1",
    kind: "server",
    agentVersion: "0.1.0",
    facts,
  };
}

function enrol(request: EnrolRequest) {
  return platform.database.asSystem("test", (tx) => door.enrolDevice(tx, request));
}

async function tokenFor(
  site: { readonly customerId: string; readonly id: string },
  options: { readonly usesMax?: number; readonly approval?: "automatic" } = {},
) {
  const { token, text } = await owner.enrolmentTokens.create({
    body: { customerId: site.customerId, siteId: site.id, ...options },
  });
  const ticket = JSON.parse(Buffer.from(text.slice(5), "base64url").toString()) as {
    tokenId: string;
    secret: string;
    identity: string;
  };
  expect(ticket.identity).toBe(platform.identity.key.publicKey);
  return { token, ticket };
}

test("one customer's scope never sees another's customers, sites, devices or tokens, also by raw SQL", async () => {
  const [first, second] = [
    await addTestCustomer(platform, "First"),
    await addTestCustomer(platform, "Second"),
  ];
  await tokenFor({ customerId: second.customerId, id: second.siteId });
  await platform.database.inScope(scopeOf(first.customerId), async (tx) => {
    expect((await door.listCustomers(tx)).map(({ name }) => name)).toEqual(["First"]);
    expect(await door.listSites(tx)).toHaveLength(1);
    expect(await door.listDevices(tx)).toHaveLength(1);
    await expect(door.readDevice(tx, second.device.id)).rejects.toMatchObject({ code: "request.not-found" });
    await expect(door.readCustomer(tx, second.customerId)).rejects.toMatchObject({
      code: "request.not-found",
    });
    for (const table of ["site", "device", "enrolment_token"]) {
      const rows = await tx.query(`select 1 from directory.${table} where customer_id = $1`, [
        second.customerId,
      ]);
      expect(rows, table).toEqual([]);
    }
    expect(await tx.query("select 1 from directory.customer where id = $1", [second.customerId])).toEqual([]);
    expect(
      await tx.query("delete from directory.device where id = $1 returning id", [second.device.id]),
    ).toEqual([]);
  });
});

test("a device cannot be put at another customer's site, by the API or by SQL", async () => {
  const [first, second] = [
    await addTestCustomer(platform, "First"),
    await addTestCustomer(platform, "Second"),
  ];
  const body = { customerId: first.customerId, siteId: second.siteId, name: "X", kind: "server" as const };
  await expect(owner.devices.create({ body })).rejects.toMatchObject({ status: 409 });
  await expect(
    owner.devices.update({ params: { deviceId: first.device.id }, body: { siteId: second.siteId } }),
  ).rejects.toMatchObject({ status: 409 });
  const bySql = platform.database.asSystem("test", (tx) =>
    tx.query("update directory.device set site_id = $1 where id = $2", [second.siteId, first.device.id]),
  );
  await expect(bySql).rejects.toThrow(/foreign key/);
});

test("names are unique where they must be, whatever their case, and lists page by name", async () => {
  for (const name of ["delta", "Alpha", "charlie", "Bravo"]) await owner.customers.create({ body: { name } });
  await expect(owner.customers.create({ body: { name: "ALPHA" } })).rejects.toMatchObject({
    status: 409,
    code: "request.conflict",
  });
  const page = await owner.customers.list({ query: { limit: 3 } });
  const rest = await owner.customers.list({ query: { limit: 3, cursor: page.next ?? "" } });
  expect([...page.items, ...rest.items].map(({ name }) => name)).toEqual([
    "Alpha",
    "Bravo",
    "charlie",
    "delta",
  ]);
  expect(rest.next).toBeNull();
});

test("every change tells the audit log what was and is, and consoles what to read again", async () => {
  const told: LiveEvent[] = [];
  platform.live.subscribe((event) => told.push(event));
  const customer = await owner.customers.create({ body: { name: "Before" } });
  await owner.customers.update({ params: { customerId: customer.id }, body: { name: "After" } });
  const { items } = await owner.audit.list({ query: { customerId: customer.id } });
  expect(items.map((entry) => [entry.action, entry.actor.name])).toEqual([
    ["customer.update", "Owner"],
    ["customer.create", "Owner"],
  ]);
  expect(items[0]).toMatchObject({ before: { name: "Before" }, after: { name: "After" } });
  await expect
    .poll(() => told)
    .toEqual(
      Array.from({ length: 2 }, () => ({
        type: "customer.changed",
        customerId: customer.id,
        deviceId: null,
        subjectId: customer.id,
      })),
    );
});

test("an agent enrols with a token once, waits for approval, and a repeated request makes no second device", async () => {
  const heard: string[] = [];
  platform.events.on(deviceEnrolled, async (_, device) => void heard.push(`enrolled ${device.name}`));
  platform.events.on(deviceActivated, async (_, device) => void heard.push(`activated ${device.name}`));
  const { ticket } = await tokenFor(await newSite("Customer"));
  const request = enrolment(ticket);
  const device = await enrol(request);
  expect(device).toMatchObject({
    state: "pending",
    name: "SRV-SQL1",
    facts: { hostName: "srv" },
    agent: { version: "0.1.0", connected: false },
  });
  expect((await enrol(request)).id).toBe(device.id);
  await expect(enrol(enrolment(ticket))).rejects.toMatchObject({
    code: "directory.token-refused",
    values: { reason: "the token is spent" },
  });
  const approved = await owner.devices.approve({ params: { deviceId: device.id } });
  expect(approved.state).toBe("active");
  await expect(owner.devices.approve({ params: { deviceId: device.id } })).rejects.toMatchObject({
    status: 409,
  });
  expect(heard).toEqual(["enrolled SRV-SQL1", "activated SRV-SQL1"]);
});

test("a wrong secret, a revoked, an old and an unknown token are refused alike, and use nothing", async () => {
  const site = await newSite("Customer");
  const { ticket, token } = await tokenFor(site);
  const refused = { code: "directory.token-refused" };
  await expect(enrol(enrolment({ ...ticket, secret: newToken() }))).rejects.toMatchObject(refused);
  await expect(enrol(enrolment({ ...ticket, tokenId: newUuid() }))).rejects.toMatchObject(refused);
  clock.advance(25 * 3_600_000);
  await expect(enrol(enrolment(ticket))).rejects.toMatchObject({
    ...refused,
    values: { reason: "the token is expired" },
  });
  expect(
    (
      await owner.sessions.signIn({
        body: { email: "owner@example.test", password: "correct horse battery staple" },
      })
    ).state,
  ).toBe("signed-in");
  await owner.enrolmentTokens.revoke({ params: { enrolmentTokenId: token.id } });
  await expect(enrol(enrolment(ticket))).rejects.toMatchObject({
    ...refused,
    values: { reason: "the token is revoked" },
  });
  expect((await owner.enrolmentTokens.list()).items).toMatchObject([{ state: "revoked", uses: 0 }]);
});

test("many agents at once take no more than the token's uses, and get names of their own", async () => {
  const { ticket } = await tokenFor(await newSite("Customer"), { usesMax: 3, approval: "automatic" });
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => enrol(enrolment(ticket))));
  const devices = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  expect(devices.map(({ name }) => name).sort()).toEqual(["SRV-SQL1", "SRV-SQL1 (2)", "SRV-SQL1 (3)"]);
  expect(devices.map(({ state }) => state)).toEqual(["active", "active", "active"]);
});

test("what is not there is not found", async () => {
  const missing = deviceId.parse(newUuid());
  await expect(owner.devices.read({ params: { deviceId: missing } })).rejects.toMatchObject({
    status: 404,
    code: "request.not-found",
  });
  await expect(owner.devices.read({ params: { deviceId: "no-id" } })).rejects.toMatchObject({ status: 400 });
});

test("the schema is the golden one (UPDATE_GOLDEN=1 writes it), and every customer table is protected", async () => {
  const golden = new URL("./migrations/schema.golden.txt", import.meta.url);
  const made = await describeSchemas(platform.database.pool, ["directory"]);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, made);
  expect(made).toBe(readFileSync(golden, "utf8"));
  expect(await unprotectedTables(platform.database.pool)).toEqual([]);
});
