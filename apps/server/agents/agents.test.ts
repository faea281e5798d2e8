import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  AGENT_PROTOCOL_VERSION,
  decodeEnrolmentTicket,
  EXPORTER_LABEL,
  EXPORTER_SIZE_BYTES,
  handshakeTranscript,
  runId,
  serverMessage,
  type AgentMessage,
  type BackupDesired,
  type Client,
  type DeviceId,
  type EnrolmentTicket,
  type ServerMessage,
} from "@mainstay/contract";
import { assert, newUuid } from "@mainstay/kit";
import { scopeOf, type AgentHooks, type AgentRecordHook, type Platform } from "@mainstay/platform";
import { serveTest, testPlatform, type TestServer } from "@mainstay/platform/testing";
import { createDirectory, directoryDeclaration, type Directory } from "@mainstay/directory";
import { agentsFollowDevices } from "../flows/agents-follow-devices.ts";
import { createBoard, type AgentBoard } from "./board.ts";
import { agentsDeclaration, agentSocket } from "./endpoint.ts";

const desired: BackupDesired = {
  repositoryPath: "/restic/1/",
  username: "u",
  password: "p",
  repositoryPassword: "r",
  sources: [{ name: "sda", kind: "raw", path: "/dev/sda" }],
  everyMinutes: 60,
  bandwidthCapBytesPerSecond: null,
};

let platform: Platform & { close(): Promise<void> };
let server: TestServer;
let owner: Client;
let directory: Directory;
let board: AgentBoard;
let stored: string[];
let failRecords: boolean;

beforeEach(async () => {
  stored = [];
  failRecords = false;
  platform = await testPlatform({
    sources: [directoryDeclaration, agentsDeclaration],
    address: () => server.address,
  });
  const module = createDirectory(platform);
  directory = module.door;
  board = createBoard(platform, directory);
  agentsFollowDevices(platform, board.link);
  const socket = agentSocket({ platform, directory, hooks: [hooks()] }, board);
  server = await serveTest(platform, { modules: [module.handlers], sockets: [socket] });
  owner = await server.owner();
});

afterEach(async () => {
  await server.close();
  await platform.close();
});

function hooks(): AgentHooks {
  const keep: AgentRecordHook<"problem"> = async (_, device, record) => {
    if (failRecords) throw new Error("the disk is full");
    stored.push(`${device.name} ${record.sequence} ${record.body.message}`);
  };
  return { backupDesired: async () => desired, records: { problem: keep } };
}

async function ticketFor(approval: "automatic" | "by-technician"): Promise<EnrolmentTicket> {
  const customer = await owner.customers.create({ body: { name: `Customer ${newUuid()}` } });
  const site = await owner.sites.create({ body: { customerId: customer.id, name: "Main", timeZone: "UTC" } });
  const { text } = await owner.enrolmentTokens.create({
    body: { customerId: customer.id, siteId: site.id, approval },
  });
  const ticket = decodeEnrolmentTicket(text);
  assert(ticket !== undefined, "the text that the server made is a ticket");
  return ticket;
}

/** An agent's end of the socket, speaking the protocol as written. */
class TestAgent {
  readonly privateKey: KeyObject;
  readonly deviceKey: string;
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  exporter = Buffer.alloc(0);
  readonly opened: Promise<unknown>;
  wake: () => void = () => undefined;

  constructor(privateKey = generateKeyPairSync("ed25519").privateKey) {
    this.privateKey = privateKey;
    this.deviceKey = String(privateKey.export({ format: "jwk" }).x);
    this.socket = new WebSocket(`${server.address.replace("https", "wss")}/agent`, {
      rejectUnauthorized: false,
    });
    this.opened = new Promise((done) => this.socket.once("open", done));
    this.socket.on("error", () => undefined);
    this.socket.on("message", (data: Buffer) => {
      this.messages.push(serverMessage.parse(JSON.parse(data.toString())));
      this.wake();
    });
    this.socket.once("upgrade", (response) => {
      assert(response.socket instanceof TLSSocket, "wss is TLS");
      this.exporter = response.socket.exportKeyingMaterial(
        EXPORTER_SIZE_BYTES,
        EXPORTER_LABEL,
        Buffer.alloc(0),
      );
    });
  }

  say(message: AgentMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  async next<Type extends ServerMessage["type"]>(
    type: Type,
  ): Promise<Extract<ServerMessage, { type: Type }>> {
    while (this.messages.length === 0) await new Promise<void>((done) => (this.wake = done));
    const message = this.messages.shift();
    expect(message?.type, JSON.stringify(message)).toBe(type);
    return message as Extract<ServerMessage, { type: Type }>;
  }

  async greet(
    options: { ticket?: EnrolmentTicket; exporter?: Buffer; version?: number } = {},
  ): Promise<void> {
    await this.opened;
    const agentNonce = randomBytes(32).toString("base64url");
    const clock = new Date(Date.now() + 86_400_000).toISOString();
    this.say({
      type: "hello",
      protocolVersion: options.version ?? AGENT_PROTOCOL_VERSION,
      agentNonce,
      deviceKey: this.deviceKey,
      clock,
    });
    if (options.version !== undefined) return;
    const { serverNonce } = await this.next("challenge");
    const transcript = {
      agentNonce,
      serverNonce,
      deviceKey: this.deviceKey,
      exporter: options.exporter ?? this.exporter,
    };
    const signature = sign(null, handshakeTranscript("device", transcript), this.privateKey).toString(
      "base64url",
    );
    const { ticket } = options;
    const enrol =
      ticket === undefined
        ? {}
        : { enrol: { tokenId: ticket.tokenId, secret: ticket.secret, name: "SRV", kind: "server" as const } };
    this.say({ type: "proof", signature, agentVersion: "0.1.0", facts: { hostName: "srv" }, ...enrol });
  }
}

function problem(sequence: number, message: string): AgentMessage {
  return {
    type: "record",
    sequence,
    at: new Date().toISOString(),
    kind: "problem",
    body: { code: "test.x", message },
  };
}

async function activeAgent(): Promise<{ readonly agent: TestAgent; readonly deviceId: DeviceId }> {
  const agent = new TestAgent();
  await agent.greet({ ticket: await ticketFor("automatic") });
  const { deviceId } = await agent.next("welcome");
  await agent.next("desired-state");
  return { agent, deviceId };
}

test("an agent enrols, waits, and gets its desired state the moment it is approved", async () => {
  const agent = new TestAgent();
  await agent.greet({ ticket: await ticketFor("by-technician") });
  const welcome = await agent.next("welcome");
  expect(welcome).toMatchObject({ state: "pending", acknowledged: 0 });
  const device = await owner.devices.read({ params: { deviceId: welcome.deviceId } });
  expect(device).toMatchObject({
    name: "SRV",
    state: "pending",
    agent: { connected: true, version: "0.1.0" },
  });
  expect(device.agent?.clockOffsetMs).toBeGreaterThan(86_000_000);
  await owner.devices.approve({ params: { deviceId: welcome.deviceId } });
  expect(await agent.next("state")).toMatchObject({ state: "active" });
  expect((await agent.next("desired-state")).desired).toMatchObject({
    backup: desired,
    serverCertificateSha256: platform.identity.certificate.sha256,
  });
  agent.socket.close();
  await expect
    .poll(async () => (await owner.devices.read({ params: { deviceId: welcome.deviceId } })).agent?.connected)
    .toBe(false);
});

test("a proof made for another TLS connection, as by a relay in the middle, is refused", async () => {
  const agent = new TestAgent();
  await agent.greet({ ticket: await ticketFor("automatic"), exporter: randomBytes(EXPORTER_SIZE_BYTES) });
  expect(await agent.next("refused")).toMatchObject({ code: "identity", final: true });
});

test("an unknown key, a spent token, another version and noise are each refused with the reason", async () => {
  const stranger = new TestAgent();
  await stranger.greet();
  expect(await stranger.next("refused")).toMatchObject({ code: "unknown-device", final: true });
  const ticket = await ticketFor("automatic");
  const first = new TestAgent();
  await first.greet({ ticket });
  await first.next("welcome");
  const second = new TestAgent();
  await second.greet({ ticket });
  expect(await second.next("refused")).toMatchObject({ code: "token" });
  const newer = new TestAgent();
  await newer.greet({ version: 99 });
  expect(await newer.next("refused")).toMatchObject({ code: "protocol" });
  const noise = new TestAgent();
  await noise.opened;
  noise.socket.send("{");
  expect(await noise.next("refused")).toMatchObject({ code: "protocol" });
});

test("a record is acknowledged after it is stored, once, and the mark survives a reconnect", async () => {
  const { agent } = await activeAgent();
  agent.say(problem(1, "a"));
  agent.say(problem(1, "a"));
  agent.say(problem(2, "b"));
  for (const sequence of [1, 1, 2]) expect(await agent.next("ack")).toEqual({ type: "ack", sequence });
  expect(stored).toEqual(["SRV 1 a", "SRV 2 b"]);
  const again = new TestAgent(agent.privateKey);
  await again.greet();
  expect(await again.next("welcome")).toMatchObject({ state: "active", acknowledged: 2 });
});

test("a record that cannot be stored is not acknowledged, and is taken when it comes again", async () => {
  const { agent } = await activeAgent();
  failRecords = true;
  agent.say(problem(1, "a"));
  await new Promise((done) => agent.socket.once("close", done));
  expect(agent.messages).toEqual([]);
  failRecords = false;
  const again = new TestAgent(agent.privateKey);
  await again.greet();
  expect(await again.next("welcome")).toMatchObject({ acknowledged: 0 });
  await again.next("desired-state");
  again.say(problem(1, "a"));
  expect(await again.next("ack")).toEqual({ type: "ack", sequence: 1 });
  expect(stored).toEqual(["SRV 1 a"]);
});

test("a second agent with the same key takes over; the first is told, and it is on record", async () => {
  const { agent, deviceId } = await activeAgent();
  const twin = new TestAgent(agent.privateKey);
  await twin.greet();
  await agent.next("superseded");
  await twin.next("welcome");
  expect(board.link.isConnected(deviceId)).toBe(true);
  const { items } = await owner.audit.list({ query: { subjectId: deviceId, action: "agent.superseded" } });
  expect(items).toHaveLength(1);
});

test("work reaches the agent at once, comes again until it is held, and one key is queued once", async () => {
  const { agent, deviceId } = await activeAgent();
  const device = await platform.database.asSystem("test", (tx) => directory.readDevice(tx, deviceId));
  const expiresAt = new Date(Date.now() + 60_000);
  const queue = () =>
    platform.database.inScope(scopeOf(device.customerId), (tx) =>
      board.link.queueWork(
        tx,
        { deviceId, customerId: device.customerId, name: device.name },
        { kind: "backup-now", dedupeKey: "now", expiresAt },
      ),
    );
  await queue();
  const { work } = await agent.next("work");
  await queue();
  expect((await agent.next("work")).work.id).toBe(work.id);
  const again = new TestAgent(agent.privateKey);
  await again.greet();
  await again.next("welcome");
  await again.next("desired-state");
  expect((await again.next("work")).work.id).toBe(work.id);
  again.say({ type: "work-received", workId: work.id });
  again.say(problem(1, "after"));
  await again.next("ack");
  const third = new TestAgent(agent.privateKey);
  await third.greet();
  await third.next("welcome");
  await third.next("desired-state");
  third.say(problem(2, "no work before this"));
  await third.next("ack");
});

test("an archived device is put out and not let in again", async () => {
  const { agent, deviceId } = await activeAgent();
  await owner.devices.archive({ params: { deviceId } });
  expect(await agent.next("refused")).toMatchObject({ code: "archived", final: true });
  const again = new TestAgent(agent.privateKey);
  await again.greet();
  expect(await again.next("refused")).toMatchObject({ code: "archived" });
});

test("a pending device's records beyond facts are acknowledged and reach no module", async () => {
  const agent = new TestAgent();
  await agent.greet({ ticket: await ticketFor("by-technician") });
  await agent.next("welcome");
  agent.say(problem(1, "hostile"));
  agent.say({
    type: "progress",
    runId: runId.parse(newUuid()),
    runKind: "backup",
    progress: { phase: "x", doneBytes: 1, totalBytes: 1, bytesPerSecond: 1, remainingMs: 0 },
  });
  await agent.next("ack");
  expect(stored).toEqual([]);
});
