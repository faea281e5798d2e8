/** Live updates: what the WebSocket `/api/events` tells a signed-in console, so that it reads again what changed. */

import { z } from "zod";
import { customerId, deviceId } from "./ids.ts";
import { runProgress } from "./protection.ts";
import { instant } from "./values.ts";

export const EVENTS_PATH = "/api/events";

export const changeTypes = [
  "customer.changed",
  "site.changed",
  "device.changed",
  "enrolment-token.changed",
  "protection-plan.changed",
  "device-protection.changed",
  "vault.changed",
  "peer.changed",
  "restore-point.changed",
  "run.changed",
  "recovery-session.changed",
  "restore-test.changed",
  "evidence.appended",
  "user.changed",
] as const;

/** `changed`: read `subjectId` again. `run.progress`: lossy, newest wins. `hello`: first message; after a reconnect read all again. */
export const liveEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), at: instant }),
  z.object({
    type: z.literal("run.progress"),
    customerId,
    deviceId,
    subjectId: z.string(),
    progress: runProgress,
  }),
  z.object({
    type: z.enum(changeTypes),
    customerId: customerId.nullable(),
    deviceId: deviceId.nullable(),
    subjectId: z.string(),
  }),
]);
export type LiveEvent = z.output<typeof liveEvent>;
export type ChangeType = (typeof changeTypes)[number];
