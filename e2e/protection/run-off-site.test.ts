/** The main job with a machine: the sample server, protected, taken off-site, run and proven from there alone. */

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type DeviceId,
  type RestorePoint,
  recoverySessionScreenPath,
  type VaultId,
} from "@mainstay/contract";
import { must } from "@mainstay/kit";
import { buildSampleServer, type SampleServer } from "@mainstay/samples";
import { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  mainstay,
  runAgent,
  serve,
  type ServerProcess,
  setUp,
  type SignedIn,
  type TestProcess,
  until,
} from "./processes.ts";

const BOOT_MS = 240_000;
const RETENTION = { last: 10, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };

let folder: string;
let sample: SampleServer;
let primary: ServerProcess;
let offsite: ServerProcess;
let client: SignedIn;
let agent: TestProcess | undefined;
let deviceId: DeviceId;
let vaultId: VaultId;
let point: RestorePoint;
const at = (...parts: readonly string[]): string => path.join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-e2e-"));
  // PostgreSQL runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  sample = await buildSampleServer({ variant: "small", directory: at("sample") });
  primary = await serve(at("primary"), "Primary");
  offsite = await serve(at("offsite"), "Off-site");
  client = await setUp(primary);
  const offsiteClient = await setUp(offsite);
  const { text } = await offsiteClient.peers.invite({ body: { name: "Primary" } });
  vaultId = (await client.vaults.create({ body: { kind: "mainstay", name: "Off-site", invitation: text } }))
    .id;
}, 900_000);

afterAll(async () => {
  await agent?.stop();
  await primary.stop();
  await offsite.stop();
  await rm(folder, { recursive: true, force: true });
});

test(
  "the server is protected and its restore point is off-site",
  async () => {
    const customer = await client.customers.create({ body: { name: "North" } });
    const site = await client.sites.create({
      body: { customerId: customer.id, name: "Main", timeZone: "UTC" },
    });
    const { text } = await client.enrolmentTokens.create({
      body: { customerId: customer.id, siteId: site.id, approval: "automatic" },
    });
    const enrolled = await mainstay([
      "agent",
      "enrol",
      "--token",
      text,
      "--data",
      at("agent"),
      "--name",
      "SRV-SQL1",
    ]);
    expect(enrolled).toMatchObject({ status: 0 });
    agent = runAgent(at("agent"));
    deviceId = must((await client.devices.list({})).items[0], "a device was enrolled").id;
    const plan = await client.protectionPlans.create({
      body: {
        customerId: null,
        name: "Gold",
        rpoMinutes: 60,
        retention: RETENTION,
        replicateTo: vaultId,
        // Asked for by the test itself, so that it knows when.
        restoreTestEveryHours: null,
        bandwidthCapBytesPerSecond: null,
      },
    });
    await client.deviceProtection.update({
      params: { deviceId },
      body: {
        planId: plan.id,
        sources: [{ kind: "raw", name: "sda", path: sample.diskPath }],
        machine: {
          memoryBytes: 768 * 1024 * 1024,
          processors: 2,
          start: "direct-kernel",
          patienceSeconds: 200,
        },
        probes: [rowsProbe()],
      },
    });
    point = await until(
      "the point is off-site",
      async () => {
        const { items } = await client.restorePoints.list({ query: { deviceId } });
        return items.find((one) =>
          one.replicas.some((replica) => replica.vaultId === vaultId && replica.state === "present"),
        );
      },
      BOOT_MS,
    );
    expect(point.disks).toEqual([{ name: "sda", sizeBytes: sample.sizeBytes }]);
  },
  BOOT_MS,
);

test(
  "with the original gone, a test off-site boots it, asks for its rows, and the evidence verifies",
  async () => {
    await agent?.stop();
    await rm(sample.diskPath);
    const started = await client.restoreTests.start({ body: { deviceId, vaultId } });
    const done = await until(
      "the restore test",
      async () => {
        const found = await client.restoreTests.read({ params: { restoreTestId: started.id } });
        return found.finishedAt !== null && found;
      },
      BOOT_MS,
    );
    expect(done).toMatchObject({ state: "passed", evidenceSequence: 1, error: null });
    expect(done.probes).toMatchObject([
      { name: "rows", state: "passed", answer: sample.sql.checks[0]?.answer },
    ]);
    expect(done.timeline.map((entry) => entry.stage)).toContain("probe-passed");
    const picture = await client.restoreTests.screenshot({ params: { restoreTestId: started.id } });
    expect(
      Buffer.from(await picture.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    await writeFile(at("evidence.jsonl"), await (await client.evidence.export({})).text());
    const { publicKey } = await client.evidence.key();
    const verified = await mainstay(["evidence", "verify", at("evidence.jsonl"), "--key", publicKey]);
    expect(verified).toMatchObject({ status: 0 });
    expect(verified.output).toContain("Intact: 1 record");
    const { protection } = await client.overview.device({ params: { deviceId } });
    expect(protection).toMatchObject({ verdict: "protected", reasons: [], rtoAttainedMs: done.rtoMs });
  },
  BOOT_MS,
);

test(
  "a recovery session off-site shows its screen here, and ends when it is stopped",
  async () => {
    const session = await client.recoverySessions.start({
      body: { restorePointId: point.id, vaultId, forwardPorts: [sample.sql.port] },
    });
    const params = { recoverySessionId: session.id };
    const running = await until(
      "the session runs",
      async () => {
        const found = await client.recoverySessions.read({ params });
        return found.state === "running" && found.screen === "available" && found;
      },
      BOOT_MS,
    );
    expect(running.forwards).toMatchObject([{ guestPort: sample.sql.port }]);
    expect(await greeting(recoverySessionScreenPath(session.id))).toBe("RFB 003.008\n");
    await client.recoverySessions.stop({ params });
    const stopped = await client.recoverySessions.read({ params });
    expect(stopped).toMatchObject({ state: "stopped", screen: "unavailable", error: null });
  },
  BOOT_MS,
);

/** The first bytes that the screen sends: RFC 6143, 7.1.1. */
async function greeting(screen: string): Promise<string> {
  const url = new URL(screen, primary.address);
  url.protocol = "wss:";
  const socket = new WebSocket(url, {
    rejectUnauthorized: false,
    headers: { cookie: client.cookie(), origin: primary.address },
  });
  return await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the screen was closed")));
    socket.once("message", (data: Buffer) => {
      resolve(data.toString("latin1"));
      socket.terminate();
    });
  });
}

/** Asks the machine for rows that its disk is known to hold. */
function rowsProbe() {
  const { port, database, user, password, checks } = sample.sql;
  const { query, answer } = must(checks[0], "the sample has checks");
  return {
    kind: "sql",
    name: "rows",
    engine: "postgresql",
    port,
    database,
    user,
    password,
    query,
    expectedAnswer: answer,
  } as const;
}
