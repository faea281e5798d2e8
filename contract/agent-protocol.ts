/**
 * What agent and server say to each other: JSON text frames on the WebSocket `/agent`.
 *
 * Order: agent `hello` → server `challenge` → agent `proof` → server `welcome` or `refused` → then anything below. The TLS
 * certificate is not trusted: both sides sign a transcript that holds the TLS exporter (RFC 5705), so a relay in the
 * middle has another transcript than ours.
 */

import { z } from "zod";
import { deviceFacts, deviceKind } from "./directory.ts";
import { deviceId, enrolmentTokenId, restorePointId, runId, workId } from "./ids.ts";
import { failure } from "./machine.ts";
import { captureSource } from "./plans-and-vaults.ts";
import { runProgress, runResult } from "./protection.ts";
import { displayName, durationMs, instant, key32, signature64, sizeBytes } from "./values.ts";

export const AGENT_PATH = "/agent";
export const AGENT_PROTOCOL_VERSION = 1;
export const AGENT_MESSAGE_SIZE_BYTES_MAX = 256 * 1024;
/** An agent sends a heartbeat this often; silence of three of them means it is gone. */
export const AGENT_HEARTBEAT_MS = 15_000;
/** `socket.exportKeyingMaterial(EXPORTER_LENGTH, EXPORTER_LABEL)`, no context. */
export const EXPORTER_LABEL = "EXPORTER-mainstay-agent-1";
export const EXPORTER_SIZE_BYTES = 32;
/** Records sent and not yet acknowledged. */
export const OUTBOX_WINDOW_MAX = 64;

const sequence = z.number().int().positive();

const hello = z.object({
  type: z.literal("hello"),
  protocolVersion: z.number().int(),
  agentNonce: key32,
  /** The device's Ed25519 public key. */
  deviceKey: key32,
  /** Left out when enrolling. */
  deviceId: deviceId.optional(),
  /** The device's wall clock, to tell the offset. */
  clock: instant,
});

const proof = z.object({
  type: z.literal("proof"),
  signature: signature64,
  agentVersion: z.string().max(40),
  facts: deviceFacts,
  enrol: z
    .object({
      tokenId: enrolmentTokenId,
      secret: z.string().min(20).max(100),
      name: displayName,
      kind: deviceKind,
    })
    .optional(),
});

const recordHead = { type: z.literal("record"), sequence, at: instant };

/**
 * An outbox record: durable at the agent until acknowledged, numbered from 1 without gaps. The agent makes the run id, so
 * that a record sent twice is seen to be the same.
 */
export const agentRecord = z.discriminatedUnion("kind", [
  z.object({
    ...recordHead,
    kind: z.literal("facts"),
    body: z.object({ facts: deviceFacts, agentVersion: z.string().max(40) }),
  }),
  z.object({
    ...recordHead,
    kind: z.literal("run-started"),
    body: z.object({ runId, runKind: z.literal("backup"), workId: workId.nullable() }),
  }),
  z.object({
    ...recordHead,
    kind: z.literal("run-finished"),
    body: z.object({
      runId,
      runKind: z.literal("backup"),
      workId: workId.nullable(),
      state: z.enum(["succeeded", "failed", "interrupted"]),
      result: runResult.nullable(),
      error: failure.nullable(),
      /** What the new restore point holds; null unless succeeded. */
      point: z
        .object({
          restorePointId,
          takenAt: instant,
          kind: z.enum(["image", "files"]),
          disks: z.array(z.object({ name: z.string().max(64), sizeBytes })).max(64),
          durationMs,
        })
        .nullable(),
    }),
  }),
  z.object({ ...recordHead, kind: z.literal("work-refused"), body: z.object({ workId, error: failure }) }),
  z.object({ ...recordHead, kind: z.literal("problem"), body: failure }),
]);
export type AgentRecord = z.output<typeof agentRecord>;
export type AgentRecordKind = AgentRecord["kind"];

export const agentMessage = z.discriminatedUnion("type", [
  hello,
  proof,
  agentRecord,
  /** Lossy; at most a few a second. */
  z.object({ type: z.literal("progress"), runId, runKind: z.literal("backup"), progress: runProgress }),
  z.object({ type: z.literal("heartbeat"), clock: instant, desiredVersion: z.string().max(64).nullable() }),
  /** Sent as soon as the work is durable at the agent; the server then stops sending it again. */
  z.object({ type: z.literal("work-received"), workId }),
]);
export type AgentMessage = z.output<typeof agentMessage>;
export type AgentHello = z.output<typeof hello>;
export type AgentProof = z.output<typeof proof>;

/** What a backup needs. Never logged, never written to disk unprotected. */
export const backupDesired = z.object({
  /** Path on the same address the agent is connected to: `/restic/ID/`. The TLS pin is `serverCertificateSha256`. */
  repositoryPath: z.string().startsWith("/restic/"),
  username: z.string(),
  password: z.string(),
  repositoryPassword: z.string(),
  sources: z.array(captureSource),
  /** null: never by itself, only on `backup-now`. */
  everyMinutes: z.number().int().positive().nullable(),
  bandwidthCapBytesPerSecond: z.number().int().positive().nullable(),
});
export type BackupDesired = z.output<typeof backupDesired>;

export const desiredState = z.object({
  /** Hash of what follows: an agent that has it already is not sent it again. */
  version: z.string(),
  /** SHA-256 of the server's TLS certificate (DER), for the HTTPS requests that a backup makes. */
  serverCertificateSha256: z.string(),
  backup: backupDesired.nullable(),
});
export type DesiredState = z.output<typeof desiredState>;

export const work = z.discriminatedUnion("kind", [
  z.object({ id: workId, kind: z.literal("backup-now"), dedupeKey: z.string(), expiresAt: instant }),
  z.object({ id: workId, kind: z.literal("cancel-run"), dedupeKey: z.string(), expiresAt: instant, runId }),
]);
export type Work = z.output<typeof work>;

export const refusalCodes = [
  "protocol",
  "identity",
  "token",
  "unknown-device",
  "archived",
  "superseded",
  "busy",
] as const;

export const serverMessage = z.discriminatedUnion("type", [
  /** `signature`: by the server's identity key over `handshakeTranscript("server", …)`. */
  z.object({ type: z.literal("challenge"), serverNonce: key32, signature: signature64 }),
  z.object({
    type: z.literal("welcome"),
    deviceId,
    state: z.enum(["pending", "active"]),
    /** The highest record the server holds; the agent forgets up to it and sends what follows. */
    acknowledged: z.number().int().nonnegative(),
    clock: instant,
  }),
  /** `final`: do not come back with these credentials. Otherwise try again later. */
  z.object({
    type: z.literal("refused"),
    code: z.enum(refusalCodes),
    message: z.string(),
    final: z.boolean(),
  }),
  /** The device was approved (or archived) while connected. */
  z.object({ type: z.literal("state"), state: z.enum(["pending", "active"]) }),
  z.object({ type: z.literal("desired-state"), desired: desiredState }),
  z.object({ type: z.literal("work"), work }),
  z.object({ type: z.literal("ack"), sequence }),
  /** Another connection proved the same device key; this one is closed. Do not reconnect at once. */
  z.object({ type: z.literal("superseded") }),
]);
export type ServerMessage = z.output<typeof serverMessage>;

export type HandshakeTranscript = {
  readonly agentNonce: string;
  readonly serverNonce: string;
  readonly deviceKey: string;
  /** From {@link EXPORTER_LABEL}. */
  readonly exporter: Uint8Array;
};

/** The bytes that `signer` signs: a label of its own, then every part that must be the same on both sides. */
export function handshakeTranscript(
  signer: "server" | "device",
  transcript: HandshakeTranscript,
): Uint8Array {
  const exporterHex = [...transcript.exporter].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const lines = [
    `mainstay-agent-1 ${signer}`,
    transcript.agentNonce,
    transcript.serverNonce,
    transcript.deviceKey,
    exporterHex,
  ];
  return new TextEncoder().encode(lines.join("\n"));
}
