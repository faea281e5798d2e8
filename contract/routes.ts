/** The one table of routes. Server handlers, the typed client and the OpenAPI document all follow it. */

import { accountRoutes, auditRoutes, sessionRoutes, setUpRoutes, userRoutes } from "./access.ts";
import { customerRoutes, deviceRoutes, enrolmentTokenRoutes, siteRoutes } from "./directory.ts";
import { peerApiRoutes, peerRoutes } from "./peer.ts";
import { deviceProtectionRoutes, protectionPlanRoutes, vaultRoutes } from "./plans-and-vaults.ts";
import { overviewRoutes, restorePointRoutes, runRoutes } from "./protection.ts";
import { evidenceRoutes, recoverySessionRoutes, restoreTestRoutes } from "./recovery.ts";
import type { Route } from "./route.ts";

export const routes = {
  setUp: setUpRoutes,
  sessions: sessionRoutes,
  account: accountRoutes,
  users: userRoutes,
  audit: auditRoutes,
  customers: customerRoutes,
  sites: siteRoutes,
  devices: deviceRoutes,
  enrolmentTokens: enrolmentTokenRoutes,
  protectionPlans: protectionPlanRoutes,
  deviceProtection: deviceProtectionRoutes,
  vaults: vaultRoutes,
  overview: overviewRoutes,
  restorePoints: restorePointRoutes,
  runs: runRoutes,
  recoverySessions: recoverySessionRoutes,
  restoreTests: restoreTestRoutes,
  evidence: evidenceRoutes,
  peers: peerRoutes,
  peerApi: peerApiRoutes,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Route>>>>;

export type Routes = typeof routes;

/** `area.name` of every route, with the route. */
export function allRoutes(): readonly { readonly name: string; readonly route: Route }[] {
  return Object.entries(routes).flatMap(([area, group]) =>
    Object.entries<Route>(group).map(([name, route]) => ({ name: `${area}.${name}`, route })),
  );
}
