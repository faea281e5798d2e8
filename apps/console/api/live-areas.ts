/** Which cached areas a change on the server makes old. Declared for every type, so that a new one cannot be forgotten. */

import type { ChangeType } from "@mainstay/contract";

export const LIVE_AREAS: Readonly<Record<ChangeType, readonly string[]>> = {
  "customer.changed": ["customers", "overview"],
  "site.changed": ["sites", "overview"],
  "device.changed": ["overview"],
  "enrolment-token.changed": ["enrolment-tokens"],
  "protection-plan.changed": ["plans", "overview"],
  "device-protection.changed": ["device-protection", "overview", "plans"],
  "vault.changed": ["vaults", "repositories"],
  "peer.changed": ["peers"],
  "restore-point.changed": ["restore-points", "repositories", "overview"],
  "run.changed": ["runs", "overview"],
  "recovery-session.changed": ["recovery-sessions"],
  "restore-test.changed": ["restore-tests", "restore-points", "overview"],
  "evidence.appended": ["evidence"],
  "user.changed": ["users", "session"],
};
