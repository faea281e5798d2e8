/** Customers, sites, devices, and the tokens by which agents enrol. */

import { z } from "zod";
import { customerId, deviceId, enrolmentTokenId, siteId, userId } from "./ids.ts";
import { route } from "./route.ts";
import { count, displayName, instant, pageOf, pageQuery, timeZone } from "./values.ts";

export const customer = z.object({
  id: customerId,
  name: z.string(),
  state: z.enum(["active", "archived"]),
  createdAt: instant,
});
export type Customer = z.output<typeof customer>;

export const site = z.object({
  id: siteId,
  customerId,
  name: z.string(),
  timeZone: z.string(),
  createdAt: instant,
});
export type Site = z.output<typeof site>;

export const deviceKinds = ["server", "workstation", "virtual-machine", "appliance", "network"] as const;
export const deviceKind = z.enum(deviceKinds);
export type DeviceKind = z.output<typeof deviceKind>;

/** What the agent saw of its machine. Hostile input: every text is capped. */
export const deviceFacts = z.object({
  hostName: z.string().max(255).optional(),
  operatingSystem: z.string().max(200).optional(),
  architecture: z.string().max(40).optional(),
  processors: count.max(4096).optional(),
  memoryBytes: count.optional(),
  disks: z
    .array(z.object({ path: z.string().max(400), sizeBytes: count, model: z.string().max(200).optional() }))
    .max(64)
    .optional(),
  addresses: z.array(z.string().max(64)).max(64).optional(),
});
export type DeviceFacts = z.output<typeof deviceFacts>;

export const deviceState = z.enum(["pending", "active", "archived"]);
export type DeviceState = z.output<typeof deviceState>;

export const device = z.object({
  id: deviceId,
  customerId,
  siteId,
  name: z.string(),
  kind: deviceKind,
  /** `pending`: enrolled, waits for a technician's approval, gets no work. */
  state: deviceState,
  facts: deviceFacts,
  /** null: a device without an agent (any restic client can back up into its repository). */
  agent: z
    .object({
      version: z.string(),
      /** SHA-256 of the device key, for comparing before approval. */
      keyFingerprint: z.string(),
      connected: z.boolean(),
      lastSeenAt: instant.nullable(),
      /** Device clock minus ours at the last handshake. */
      clockOffsetMs: z.number().nullable(),
    })
    .nullable(),
  createdAt: instant,
});
export type Device = z.output<typeof device>;

export const enrolmentToken = z.object({
  id: enrolmentTokenId,
  customerId,
  siteId,
  state: z.enum(["usable", "spent", "expired", "revoked"]),
  /** `automatic`: devices become active without a technician. */
  approval: z.enum(["by-technician", "automatic"]),
  uses: count,
  usesMax: count,
  expiresAt: instant,
  createdAt: instant,
  createdBy: userId.nullable(),
});
export type EnrolmentToken = z.output<typeof enrolmentToken>;

const customerParams = z.object({ customerId });
const siteParams = z.object({ siteId });
const deviceParams = z.object({ deviceId });

export const customerRoutes = {
  list: route({
    method: "GET",
    path: "/api/customers",
    summary: "Customers by name",
    access: "read-only",
    query: z.object({ ...pageQuery, state: z.enum(["active", "archived"]).optional() }),
    output: pageOf(customer),
  }),
  create: route({
    method: "POST",
    path: "/api/customers",
    summary: "Add a customer",
    access: "technician",
    body: z.strictObject({ name: displayName }),
    output: customer,
    errors: ["request.conflict"],
  }),
  read: route({
    method: "GET",
    path: "/api/customers/:customerId",
    summary: "One customer",
    access: "read-only",
    params: customerParams,
    output: customer,
  }),
  update: route({
    method: "PATCH",
    path: "/api/customers/:customerId",
    summary: "Rename, archive or bring back a customer",
    access: "technician",
    params: customerParams,
    body: z.strictObject({ name: displayName.optional(), state: z.enum(["active", "archived"]).optional() }),
    output: customer,
    errors: ["request.conflict"],
  }),
} as const;

export const siteRoutes = {
  list: route({
    method: "GET",
    path: "/api/sites",
    summary: "Sites by name",
    access: "read-only",
    query: z.object({ ...pageQuery, customerId: customerId.optional() }),
    output: pageOf(site),
  }),
  create: route({
    method: "POST",
    path: "/api/sites",
    summary: "Add a site to a customer",
    access: "technician",
    body: z.strictObject({ customerId, name: displayName, timeZone }),
    output: site,
    errors: ["request.conflict", "request.not-found"],
  }),
  read: route({
    method: "GET",
    path: "/api/sites/:siteId",
    summary: "One site",
    access: "read-only",
    params: siteParams,
    output: site,
  }),
  update: route({
    method: "PATCH",
    path: "/api/sites/:siteId",
    summary: "Change name or time zone of a site",
    access: "technician",
    params: siteParams,
    body: z.strictObject({ name: displayName.optional(), timeZone: timeZone.optional() }),
    output: site,
    errors: ["request.conflict"],
  }),
} as const;

export const deviceRoutes = {
  list: route({
    method: "GET",
    path: "/api/devices",
    summary: "Devices by name",
    access: "read-only",
    query: z.object({
      ...pageQuery,
      customerId: customerId.optional(),
      siteId: siteId.optional(),
      state: deviceState.optional(),
    }),
    output: pageOf(device),
  }),
  /** A device without an agent, active at once. */
  create: route({
    method: "POST",
    path: "/api/devices",
    summary: "Add a device that has no agent",
    access: "technician",
    body: z.strictObject({ customerId, siteId, name: displayName, kind: deviceKind }),
    output: device,
    errors: ["request.conflict", "request.not-found"],
  }),
  read: route({
    method: "GET",
    path: "/api/devices/:deviceId",
    summary: "One device",
    access: "read-only",
    params: deviceParams,
    output: device,
  }),
  update: route({
    method: "PATCH",
    path: "/api/devices/:deviceId",
    summary: "Change name, kind or site of a device",
    access: "technician",
    params: deviceParams,
    body: z.strictObject({
      name: displayName.optional(),
      kind: deviceKind.optional(),
      siteId: siteId.optional(),
    }),
    output: device,
    errors: ["request.conflict"],
  }),
  approve: route({
    method: "POST",
    path: "/api/devices/:deviceId/approve",
    summary: "Let a pending device become active",
    access: "technician",
    params: deviceParams,
    output: device,
    errors: ["request.conflict"],
  }),
  /** Its agent is disconnected and refused from then on; its restore points stay. */
  archive: route({
    method: "POST",
    path: "/api/devices/:deviceId/archive",
    summary: "Archive a device",
    access: "technician",
    params: deviceParams,
    output: device,
    errors: ["request.conflict"],
  }),
} as const;

export const enrolmentTokenRoutes = {
  list: route({
    method: "GET",
    path: "/api/enrolment-tokens",
    summary: "Enrolment tokens, newest first",
    access: "technician",
    query: z.object({ ...pageQuery, customerId: customerId.optional() }),
    output: pageOf(enrolmentToken),
  }),
  /** `text` is shown once: give it to `mainstay agent enrol`. */
  create: route({
    method: "POST",
    path: "/api/enrolment-tokens",
    summary: "Make an enrolment token",
    access: "technician",
    body: z.strictObject({
      customerId,
      siteId,
      usesMax: z.number().int().min(1).max(1000).default(1),
      validHours: z.number().int().min(1).max(720).default(24),
      approval: z.enum(["by-technician", "automatic"]).default("by-technician"),
    }),
    output: z.object({ token: enrolmentToken, text: z.string() }),
    errors: ["request.not-found"],
  }),
  revoke: route({
    method: "POST",
    path: "/api/enrolment-tokens/:enrolmentTokenId/revoke",
    summary: "Revoke an enrolment token",
    access: "technician",
    params: z.object({ enrolmentTokenId }),
    output: enrolmentToken,
  }),
} as const;
