/** The main job without a machine: enrol, back up, take off-site, through kills of agent and server. */

import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type Client,
  decodeEnrolmentTicket,
  type DeviceId,
  encodeEnrolmentTicket,
  type RestorePoint,
} from "@mainstay/contract";
import { must } from "@mainstay/kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  mainstay,
  runAgent,
  serve,
  type ServerProcess,
  setUp,
  type TestProcess,
  until,
} from "./processes.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 24 * MIB;
/** The vault's retries pause for up to half a minute. */
const RECOVERY_MS = 90_000;
const RETENTION = { last: 10, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };

let folder: string;
let primary: ServerProcess;
let offsite: ServerProcess | undefined;
let client: Client;
let offsiteClient: Client;
let agent: TestProcess | undefined;
let deviceId: DeviceId;
const at = (...parts: readonly string[]): string => path.join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-e2e-"));
  // PostgreSQL runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  await writeFile(at("disk.raw"), randomBytes(DISK_BYTES));
  primary = await serve(at("primary"), "Primary");
  offsite = await serve(at("offsite"), "Off-site");
  client = await setUp(primary);
  offsiteClient = await setUp(offsite);
});

afterAll(async () => {
  await agent?.stop();
  await primary.stop();
  await offsite?.stop();
  await rm(folder, { recursive: true, force: true });
});

const points = async (): Promise<readonly RestorePoint[]> =>
  (await client.restorePoints.list({ query: { deviceId } })).items;

test("an agent enrols with a token, waits for approval, and backs up a disk", async () => {
  const customer = await client.customers.create({ body: { name: "North" } });
  const site = await client.sites.create({
    body: { customerId: customer.id, name: "Main", timeZone: "UTC" },
  });
  const { text } = await client.enrolmentTokens.create({
    body: { customerId: customer.id, siteId: site.id },
  });
  const enrolled = await mainstay([
    "agent",
    "enrol",
    "--token",
    text,
    "--data",
    at("agent"),
    "--name",
    "SRV-1",
  ]);
  expect(enrolled).toMatchObject({ status: 0 });
  expect(await mainstay(["agent", "enrol", "--token", text, "--data", at("other")])).toMatchObject({
    status: 1,
  });
  agent = runAgent(at("agent"));
  const [device] = (await client.devices.list({})).items;
  expect(device).toMatchObject({ name: "SRV-1", state: "pending" });
  if (device === undefined) return;
  deviceId = device.id;
  await client.devices.approve({ params: { deviceId } });
  const sources = [{ kind: "raw", name: "sda", path: at("disk.raw") } as const];
  await client.deviceProtection.update({ params: { deviceId }, body: { sources } });
  await until("the agent is connected", async () => {
    const { agent: seen } = await client.devices.read({ params: { deviceId } });
    return seen?.connected;
  });
  const run = await until("a backup can be started", () =>
    client.runs.start({ params: { deviceId }, body: { kind: "backup" } }),
  );
  expect(run.kind).toBe("backup");
  const [point] = await until(
    "a restore point",
    async () => (await points()).length === 1 && (await points()),
  );
  expect(point).toMatchObject({
    kind: "image",
    state: "usable",
    proven: null,
    disks: [{ name: "sda", sizeBytes: DISK_BYTES }],
  });
  expect(point?.readBytes).toBe(DISK_BYTES);
});

test("the next backup stores what changed, and both go off-site", async () => {
  const invitation = await offsiteClient.peers.invite({ body: { name: "Primary" } });
  const vault = await client.vaults.create({
    body: { kind: "mainstay", name: "Off-site", invitation: invitation.text },
  });
  expect(vault).toMatchObject({ kind: "mainstay", state: "ready" });
  const plan = await client.protectionPlans.create({
    body: {
      customerId: null,
      name: "Gold",
      rpoMinutes: 60,
      retention: RETENTION,
      replicateTo: vault.id,
      restoreTestEveryHours: null,
      bandwidthCapBytesPerSecond: null,
    },
  });
  await changeDisk(5 * MIB);
  await client.deviceProtection.update({ params: { deviceId }, body: { planId: plan.id } });
  await client.runs.start({ params: { deviceId }, body: { kind: "backup" } });
  const all = await until("both points off-site", async () => {
    const found = await points();
    const present = found.filter((point) =>
      point.replicas.some((one) => one.vaultId === vault.id && one.state === "present"),
    );
    return present.length >= 2 && found;
  });
  expect(all[0]?.addedBytes).toBeLessThan(2 * MIB);
  const { protection } = await client.overview.device({ params: { deviceId } });
  expect(protection).toMatchObject({ verdict: "not-measured", rpoTargetMinutes: 60 });
  expect(protection.newestReplicaAt).toBe(all[0]?.takenAt);
});

test("the replica alone restores the disk byte for byte, by restic's own format", async () => {
  const [kept] = (await offsiteClient.peers.list()).items;
  expect(kept?.repositories).toBe(1);
  const { repositoryPassword } = await client.deviceProtection.issueCredentials({ params: { deviceId } });
  await writeFile(at("password"), repositoryPassword);
  const repositories = await client.deviceProtection.repositories({ params: { deviceId } });
  const replica = repositories.items.find(
    (one) => one.restorePoints === 2 && one.sizeBytes > 0 && one.id !== repositories.items[0]?.id,
  );
  const repo = at("offsite", "kept", replica?.id ?? "");
  const check = await mainstay([
    "vault",
    "check",
    "--read-data",
    "--repo",
    repo,
    "--password-file",
    at("password"),
  ]);
  expect(check).toMatchObject({ status: 0 });
  const target = at("restored.raw");
  const restored = await mainstay([
    "vault",
    "restore",
    "latest",
    "--repo",
    repo,
    "--password-file",
    at("password"),
    "--target",
    target,
  ]);
  expect(restored).toMatchObject({ status: 0 });
  expect(await sha256(target)).toBe(await sha256(at("disk.raw")));
});

test(
  "a server killed in the middle of a backup is waited for, and the backup ends well",
  async () => {
    const before = (await points()).length;
    await writeFile(at("disk.raw"), randomBytes(DISK_BYTES));
    await startBackup();
    await until("the backup runs", async () => (await runsOf("running")).length > 0);
    const { port } = new URL(primary.address);
    await primary.kill();
    primary = await serve(at("primary"), "Primary", Number(port));
    await until("one more point", async () => (await points()).length > before, RECOVERY_MS);
    expect(await runsOf("failed")).toEqual([]);
  },
  RECOVERY_MS * 2,
);

test(
  "an agent killed in the middle of a backup begins anew, and nothing is told as failed",
  async () => {
    const before = (await points()).length;
    await writeFile(at("disk.raw"), randomBytes(DISK_BYTES));
    await until("a backup can be started", () => startBackup());
    await until("the backup runs", async () => (await runsOf("running")).length > 0);
    await agent?.kill();
    agent = runAgent(at("agent"));
    await until(
      "a further point",
      async () => (await points()).length > before || startBackup().then(() => false),
      RECOVERY_MS,
    );
    expect(await runsOf("failed")).toEqual([]);
  },
  RECOVERY_MS * 2,
);

test("a second agent on the same folder is refused, and so is a server with another identity", async () => {
  expect(await mainstay(["agent", "run", "--data", at("agent")])).toMatchObject({
    status: 1,
    output: expect.stringContaining("another agent runs on it"),
  });
  const [customer] = (await client.customers.list({})).items;
  const [site] = (await client.sites.list({})).items;
  const body = { customerId: must(customer, "made").id, siteId: must(site, "made").id };
  const { text } = await client.enrolmentTokens.create({ body });
  const ticket = must(decodeEnrolmentTicket(text), "the server's own text");
  const forged = encodeEnrolmentTicket({ ...ticket, identity: randomBytes(32).toString("base64url") });
  expect(await mainstay(["agent", "enrol", "--token", forged, "--data", at("forged")])).toMatchObject({
    status: 1,
    output: expect.stringContaining("Cannot trust"),
  });
});

test("verification reads everything back and finds it whole", async () => {
  const { id } = await client.runs.start({ params: { deviceId }, body: { kind: "verification" } });
  const run = await until("the verification", async () => {
    const found = await client.runs.read({ params: { runId: id } });
    return found.finishedAt !== null && found;
  });
  expect(run).toMatchObject({ state: "succeeded", result: { kind: "verification", damagedPoints: 0 } });
});

test("a ledger without records exports and verifies", async () => {
  const answer = await client.evidence.export({});
  await writeFile(at("evidence.jsonl"), await answer.text());
  const { publicKey } = await client.evidence.key();
  expect(await mainstay(["evidence", "verify", at("evidence.jsonl"), "--key", publicKey])).toMatchObject({
    status: 0,
  });
});

const startBackup = () => client.runs.start({ params: { deviceId }, body: { kind: "backup" } });

async function runsOf(state: "running" | "failed") {
  return (await client.runs.list({ query: { deviceId, kind: "backup", state } })).items;
}

async function changeDisk(offset: number): Promise<void> {
  const disk = await open(at("disk.raw"), "r+");
  await disk.write(randomBytes(100_000), 0, 100_000, offset);
  await disk.close();
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}
