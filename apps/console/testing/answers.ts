/** What the fixture server answers on each route; the server checks every answer against the contract before it is sent. */

import type { Device, Role } from "@mainstay/contract";
import { auditAt, openSessionsAt, sessionFor, usersAt } from "./fixtures/access.ts";
import { customersAt, devicesAt, sitesAt } from "./fixtures/directory.ts";
import { minutesAgo, uuid } from "./fixtures/ids.ts";
import {
  deviceOverviewAt,
  deviceProtectionOf,
  overviewAt,
  plansAt,
  repositoriesOf,
  restorePointsAt,
  runsAt,
  vaultsAt,
} from "./fixtures/protection.ts";
import { evidenceAt, recoverySessionsAt, restoreTestsAt } from "./fixtures/recovery.ts";

export type FixtureState = {
  /** `empty`: a server right after set-up. */
  readonly content: "full" | "empty";
  readonly role: Role;
  signedIn: boolean;
};

export type Asked = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
};

/** `undefined`: no such thing. */
export type Answer = (asked: Asked, state: FixtureState) => unknown;

const page = (items: readonly unknown[], state: FixtureState) => ({
  items: state.content === "empty" ? [] : items,
  next: null,
});
const now = () => new Date();
const deviceOf = (asked: Asked): Device | undefined =>
  devicesAt(now()).find((one) => one.id === (asked.params["deviceId"] ?? asked.query["deviceId"]));
const forDevice = (asked: Asked, answer: (device: Device) => unknown) => {
  const device = deviceOf(asked);
  return device === undefined ? undefined : answer(device);
};
const customerIdOf = (asked: Asked) => asked.params["customerId"] ?? asked.query["customerId"];
const signIn = (state: FixtureState) => {
  state.signedIn = true;
  return sessionFor(state.role, now());
};

export const ANSWERS: Readonly<Record<string, Answer>> = {
  "setUp.read": (_, state) => ({
    state: state.content === "empty" && !state.signedIn ? "needed" : "done",
    serverName: "mainstay",
  }),
  "setUp.complete": (_, state) => signIn(state),
  "sessions.read": (_, state) => sessionFor(state.role, now()),
  "sessions.signIn": (asked, state) => {
    const hasCode = typeof asked.body === "object" && asked.body !== null && "code" in asked.body;
    return !hasCode ? { state: "totp-required" } : { state: "signed-in", session: signIn(state) };
  },
  "sessions.signInByLink": (_, state) => signIn(state),
  "sessions.signOut": (_, state) => {
    state.signedIn = false;
    return null;
  },
  "sessions.list": () => ({ items: openSessionsAt(now()) }),
  "account.beginTotp": () => ({
    secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    otpauthUrl: "otpauth://totp/Mainstay:owner?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Mainstay",
  }),
  "account.confirmTotp": () => ({
    recoveryCodes: Array.from(
      { length: 10 },
      (_, n) => `k7x2-${(48_271 * (n + 3)).toString(36).slice(0, 4)}-m${n}q4`,
    ),
  }),
  "users.list": () => ({ items: usersAt(now()), next: null }),
  "audit.list": (_, state) => page(auditAt(now()), state),
  "customers.list": (_, state) => page(customersAt(now()), state),
  "customers.read": (asked) => customersAt(now()).find((one) => one.id === customerIdOf(asked)),
  "sites.list": (asked, state) =>
    page(
      sitesAt(now()).filter((one) => one.customerId === customerIdOf(asked)),
      state,
    ),
  "enrolmentTokens.list": (asked, state) => page([tokenOf(asked, 0), tokenOf(asked, 1)], state),
  "enrolmentTokens.create": (asked) => ({
    token: tokenOf(asked, 0),
    text: `mst1.${"eyJhZGRyZXNzIjoiaHR0cHM6Ly8xMjcuMC4wLjE6ODQ0MyIsInRva2VuSWQiOiIwMTlh".repeat(4)}`,
  }),
  "protectionPlans.list": (_, state) => page(plansAt(now()), state),
  "deviceProtection.read": (asked) => forDevice(asked, deviceProtectionOf),
  "deviceProtection.repositories": (asked) =>
    forDevice(asked, (device) => ({ items: repositoriesOf(device, now()) })),
  "vaults.list": (_, state) => ({
    items: vaultsAt(now()).slice(0, state.content === "empty" ? 1 : 2),
    next: null,
  }),
  "overview.read": (asked, state) => overviewOf(asked, state),
  "overview.device": (asked) => forDevice(asked, (device) => deviceOverviewAt(device, now())),
  "restorePoints.list": (asked, state) =>
    forDevice(asked, (device) => page(restorePointsAt(device, now()), state)),
  "runs.list": (asked, state) => forDevice(asked, (device) => page(runsAt(device, now()), state)),
  "runs.start": (asked) => forDevice(asked, (device) => runsAt(device, now())[0]),
  "restoreTests.list": (asked, state) =>
    forDevice(asked, (device) => page(restoreTestsAt(device, now()), state)),
  "restoreTests.read": (asked) => testsOfFirst().find((one) => one.id === asked.params["restoreTestId"]),
  "restoreTests.start": () => testsOfFirst()[2],
  "recoverySessions.list": (_, state) => page(recoverySessionsAt(now()), state),
  "recoverySessions.read": (asked) =>
    recoverySessionsAt(now()).find((one) => one.id === asked.params["recoverySessionId"]),
  "recoverySessions.start": () => recoverySessionsAt(now())[0],
  "recoverySessions.stop": () => ({ ...recoverySessionsAt(now())[0], state: "stopping" }),
  "evidence.list": (_, state) => page(evidenceAt(now()), state),
  "evidence.key": () => ({ algorithm: "ed25519", publicKey: "C".repeat(43) }),
  "peers.list": () => ({ items: [] }),
};

function testsOfFirst() {
  const [first] = devicesAt(now());
  return first === undefined ? [] : restoreTestsAt(first, now());
}

function overviewOf(asked: Asked, state: FixtureState) {
  const all = overviewAt(now());
  if (state.content === "empty")
    return {
      ...all,
      customers: [],
      devices: { protected: 0, "at-risk": 0, "not-protected": 0, "not-measured": 0 },
    };
  const customerId = customerIdOf(asked);
  return customerId === undefined
    ? all
    : { ...all, customers: all.customers.filter((entry) => entry.customer.id === customerId) };
}

function tokenOf(asked: Asked, n: number) {
  const customerId = customerIdOf(asked) ?? uuid(100);
  const siteId = sitesAt(now()).find((one) => one.customerId === customerId)?.id ?? uuid(200);
  return {
    id: uuid(50 + n),
    customerId,
    siteId,
    state: n === 0 ? "usable" : "spent",
    approval: "by-technician",
    uses: n,
    usesMax: 1,
    expiresAt: minutesAgo(n === 0 ? -1_300 : 4_000, now()),
    createdAt: minutesAgo(100, now()),
    createdBy: null,
  };
}
