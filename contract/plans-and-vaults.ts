/** What protection is promised, and where backups lie. */

import { z } from "zod";
import { customerId, deviceId, protectionPlanId, repositoryId, vaultId } from "./ids.ts";
import { machineSettings, probeSpec } from "./machine.ts";
import { route } from "./route.ts";
import { count, displayName, instant, key32, pageOf, pageQuery, sizeBytes } from "./values.ts";

/** How many restore points of each period are kept; a point kept by any rule stays. Never drops the newest proven one. */
export const retention = z.object({
  last: count.max(10_000),
  hourly: count.max(10_000),
  daily: count.max(10_000),
  weekly: count.max(10_000),
  monthly: count.max(10_000),
  yearly: count.max(10_000),
});
export type Retention = z.output<typeof retention>;

const planFields = {
  name: displayName,
  /** A backup starts so that the newest restore point is never older than this. */
  rpoMinutes: z.number().int().min(1).max(525_600),
  retention,
  /** The vault of kind `mainstay` that receives every point, or null: kept in one place only. */
  replicateTo: vaultId.nullable(),
  /** null: never tested, so never shown as protected. */
  restoreTestEveryHours: z.number().int().min(1).max(8760).nullable(),
  bandwidthCapBytesPerSecond: z.number().int().min(1024).nullable(),
};

export const protectionPlan = z.object({
  id: protectionPlanId,
  /** null: offered to every customer. */
  customerId: customerId.nullable(),
  ...planFields,
  name: z.string(),
  devices: count,
  createdAt: instant,
});
export type ProtectionPlan = z.output<typeof protectionPlan>;

const sourceName = {
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "wanted letters, digits, dot, dash or underscore"),
};
const path = z.string().startsWith("/").max(4000);

/** What the agent captures. A restore point of disks has raw/qcow2/qemu sources only; of files, `files` only. */
export const captureSource = z.discriminatedUnion("kind", [
  z.object({ ...sourceName, kind: z.literal("raw"), path }),
  z.object({ ...sourceName, kind: z.literal("qcow2"), path }),
  /** A disk of a running QEMU machine: only dirty blocks are read. */
  z.object({ ...sourceName, kind: z.literal("qemu"), qmpSocket: path, node: z.string().min(1).max(200) }),
  z.object({ ...sourceName, kind: z.literal("files"), paths: z.array(path).min(1).max(100) }),
]);
export type CaptureSource = z.output<typeof captureSource>;

const deviceProtectionFields = {
  planId: protectionPlanId.nullable(),
  sources: z.array(captureSource).max(64),
  probes: z.array(probeSpec).max(32),
  machine: machineSettings,
};

export const deviceProtection = z.object({ deviceId, ...deviceProtectionFields });
export type DeviceProtection = z.output<typeof deviceProtection>;

export const repository = z.object({
  id: repositoryId,
  deviceId,
  vaultId,
  sizeBytes,
  restorePoints: count,
  createdAt: instant,
});
export type Repository = z.output<typeof repository>;

export const vaultState = z.enum(["ready", "unreachable", "not-measured"]);

export const vault = z.object({
  id: vaultId,
  name: z.string(),
  /** `local`: this server's data folder; `mainstay`: another Mainstay that keeps replicas and can run machines. */
  kind: z.enum(["local", "mainstay"]),
  state: vaultState,
  stateDetail: z.string().nullable(),
  address: z.string().nullable(),
  identity: key32.nullable(),
  usedBytes: sizeBytes.nullable(),
  freeBytes: sizeBytes.nullable(),
  measuredAt: instant.nullable(),
  repositories: count,
  createdAt: instant,
});
export type Vault = z.output<typeof vault>;

const planParams = z.object({ protectionPlanId });
const vaultParams = z.object({ vaultId });
const deviceParams = z.object({ deviceId });

export const protectionPlanRoutes = {
  list: route({
    method: "GET",
    path: "/api/protection-plans",
    summary: "Protection plans by name",
    access: "read-only",
    query: z.object({ ...pageQuery, customerId: customerId.optional() }),
    output: pageOf(protectionPlan),
  }),
  create: route({
    method: "POST",
    path: "/api/protection-plans",
    summary: "Make a protection plan",
    access: "technician",
    body: z.strictObject({ customerId: customerId.nullable(), ...planFields }),
    output: protectionPlan,
    errors: ["request.conflict", "request.not-found"],
  }),
  read: route({
    method: "GET",
    path: "/api/protection-plans/:protectionPlanId",
    summary: "One protection plan",
    access: "read-only",
    params: planParams,
    output: protectionPlan,
  }),
  update: route({
    method: "PATCH",
    path: "/api/protection-plans/:protectionPlanId",
    summary: "Change a protection plan",
    access: "technician",
    params: planParams,
    body: z.strictObject(planFields).partial(),
    output: protectionPlan,
    errors: ["request.conflict"],
  }),
  /** Only a plan that no device follows. */
  remove: route({
    method: "DELETE",
    path: "/api/protection-plans/:protectionPlanId",
    summary: "Remove an unused protection plan",
    access: "technician",
    params: planParams,
    output: "nothing",
    errors: ["request.conflict"],
  }),
} as const;

export const deviceProtectionRoutes = {
  read: route({
    method: "GET",
    path: "/api/devices/:deviceId/protection",
    summary: "Plan, sources, probes and machine of a device",
    access: "read-only",
    params: deviceParams,
    output: deviceProtection,
  }),
  update: route({
    method: "PATCH",
    path: "/api/devices/:deviceId/protection",
    summary: "Change plan, sources, probes or machine of a device",
    access: "technician",
    params: deviceParams,
    body: z.strictObject(deviceProtectionFields).partial(),
    output: deviceProtection,
    errors: ["request.conflict"],
  }),
  repositories: route({
    method: "GET",
    path: "/api/devices/:deviceId/repositories",
    summary: "Where the backups of a device lie",
    access: "read-only",
    params: deviceParams,
    output: z.object({ items: z.array(repository) }),
  }),
  /** For any restic client: `restic -r URL backup`. Append-only; shown once; the ones before stop working. */
  issueCredentials: route({
    method: "POST",
    path: "/api/devices/:deviceId/rest-credentials",
    summary: "Make append-only credentials for a restic client",
    access: "technician",
    params: deviceParams,
    output: z.object({
      url: z.string(),
      username: z.string(),
      password: z.string(),
      repositoryPassword: z.string(),
    }),
    errors: ["request.conflict"],
  }),
} as const;

export const vaultRoutes = {
  list: route({
    method: "GET",
    path: "/api/vaults",
    summary: "Vaults by name",
    access: "read-only",
    query: z.object(pageQuery),
    output: pageOf(vault),
  }),
  /** `invitation` is the text that the other Mainstay made (`msp1.…`). */
  create: route({
    method: "POST",
    path: "/api/vaults",
    summary: "Add another Mainstay as a vault",
    access: "owner",
    body: z.strictObject({
      kind: z.literal("mainstay"),
      name: displayName,
      invitation: z.string().min(10).max(2000),
    }),
    output: vault,
    errors: ["request.conflict", "protection.vault-unreachable"],
  }),
  read: route({
    method: "GET",
    path: "/api/vaults/:vaultId",
    summary: "One vault",
    access: "read-only",
    params: vaultParams,
    output: vault,
  }),
  update: route({
    method: "PATCH",
    path: "/api/vaults/:vaultId",
    summary: "Rename a vault",
    access: "owner",
    params: vaultParams,
    body: z.strictObject({ name: displayName }),
    output: vault,
    errors: ["request.conflict"],
  }),
} as const;
