/** Every address of the console in one place. Pages are loaded when first visited, their data before they are shown. */

import type { CustomerId, DeviceId, RecoverySessionId, RestoreTestId } from "@mainstay/contract";
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { isSignedOut } from "./api/problem.ts";
import {
  auditQuery,
  customerOverviewQuery,
  customerQuery,
  customersQuery,
  deviceOverviewQuery,
  deviceProtectionQuery,
  evidenceKeyQuery,
  evidenceQuery,
  openSessionsQuery,
  overviewQuery,
  plansQuery,
  recoverySessionQuery,
  recoverySessionsQuery,
  repositoriesQuery,
  restorePointsQuery,
  restoreTestQuery,
  runsQuery,
  sessionQuery,
  setUpQuery,
  sitesQuery,
  usersQuery,
  vaultsQuery,
} from "./api/queries.ts";
import { MissingPage, PageFailed, PagePending } from "./layouts/fallbacks.tsx";
import { Shell } from "./layouts/shell.tsx";

export type RouterContext = { readonly queries: QueryClient };

const root = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  errorComponent: PageFailed,
  notFoundComponent: MissingPage,
});

const setUp = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  loader: ({ context }) => context.queries.fetchQuery(setUpQuery()),
  component: lazyRouteComponent(() => import("./pages/setup/setup-page.tsx"), "SetUpPage"),
});

type SignInSearch = { readonly next?: string };

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  // Only a path of this console: an address given from outside must not lead elsewhere after signing in.
  validateSearch: (search): SignInSearch =>
    typeof search["next"] === "string" && /^\/(?![/\\])/.test(search["next"]) ? { next: search["next"] } : {},
  component: lazyRouteComponent(() => import("./pages/sign-in/sign-in-page.tsx"), "SignInPage"),
});

const signInLink = createRoute({
  getParentRoute: () => root,
  path: "/sign-in/link",
  component: lazyRouteComponent(() => import("./pages/sign-in/link-page.tsx"), "SignInLinkPage"),
});

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: ({ context, location }) => requireSession(context.queries, location.href),
  component: Shell,
  pendingComponent: PagePending,
});

async function requireSession(queries: QueryClient, here: string): Promise<void> {
  try {
    await queries.ensureQueryData(sessionQuery());
  } catch (cause) {
    if (!isSignedOut(cause)) throw cause;
    const setUpState = await queries.fetchQuery(setUpQuery());
    if (setUpState.state === "needed") throw redirect({ to: "/setup" });
    throw redirect({ to: "/sign-in", search: here === "/" ? {} : { next: here } });
  }
}

type OverviewSearch = { readonly q?: string | undefined; readonly show?: string | undefined };

export const overviewRoute = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  validateSearch: (search: Record<string, unknown>): OverviewSearch => ({
    ...textOf("q", search["q"]),
    ...textOf("show", search["show"]),
  }),
  loader: ({ context }) => context.queries.ensureQueryData(overviewQuery()),
  component: lazyRouteComponent(() => import("./pages/overview-page.tsx"), "OverviewPage"),
});

const customers = createRoute({
  getParentRoute: () => signedIn,
  path: "/customers",
  loader: ({ context: { queries } }) =>
    Promise.all([queries.ensureQueryData(customersQuery()), queries.ensureQueryData(overviewQuery())]),
  component: lazyRouteComponent(() => import("./pages/customers/customers-page.tsx"), "CustomersPage"),
});

const customer = createRoute({
  getParentRoute: () => signedIn,
  path: "/customers/$customerId",
  params: { parse: ({ customerId }) => ({ customerId: branded<CustomerId>(customerId) }) },
  loader: ({ context: { queries }, params: { customerId } }) =>
    Promise.all([
      queries.ensureQueryData(customerQuery(customerId)),
      queries.ensureQueryData(sitesQuery(customerId)),
      queries.ensureQueryData(customerOverviewQuery(customerId)),
    ]),
  component: lazyRouteComponent(() => import("./pages/customers/customer-page.tsx"), "CustomerPage"),
});

const device = createRoute({
  getParentRoute: () => signedIn,
  path: "/devices/$deviceId",
  params: { parse: ({ deviceId }) => ({ deviceId: branded<DeviceId>(deviceId) }) },
  loader: async ({ context: { queries }, params: { deviceId } }) => {
    const [seen] = await Promise.all([
      queries.ensureQueryData(deviceOverviewQuery(deviceId)),
      queries.ensureInfiniteQueryData(restorePointsQuery(deviceId)),
      queries.ensureInfiniteQueryData(runsQuery(deviceId)),
      queries.ensureQueryData(deviceProtectionQuery(deviceId)),
      queries.ensureQueryData(repositoriesQuery(deviceId)),
      queries.ensureQueryData(plansQuery()),
      queries.ensureQueryData(vaultsQuery()),
    ]);
    await queries.ensureQueryData(customerQuery(seen.device.customerId));
  },
  component: lazyRouteComponent(() => import("./pages/devices/device-page.tsx"), "DevicePage"),
});

const recoverySessions = createRoute({
  getParentRoute: () => signedIn,
  path: "/recovery-sessions",
  loader: ({ context: { queries } }) =>
    Promise.all([
      queries.ensureInfiniteQueryData(recoverySessionsQuery()),
      queries.ensureQueryData(overviewQuery()),
      queries.ensureQueryData(vaultsQuery()),
    ]),
  component: lazyRouteComponent(
    () => import("./pages/recovery-sessions/recovery-sessions-page.tsx"),
    "RecoverySessionsPage",
  ),
});

const recoverySession = createRoute({
  getParentRoute: () => signedIn,
  path: "/recovery-sessions/$recoverySessionId",
  params: {
    parse: ({ recoverySessionId }) => ({ recoverySessionId: branded<RecoverySessionId>(recoverySessionId) }),
  },
  loader: async ({ context: { queries }, params: { recoverySessionId } }) => {
    const session = await queries.ensureQueryData(recoverySessionQuery(recoverySessionId));
    await Promise.all([
      queries.ensureQueryData(deviceOverviewQuery(session.deviceId)),
      queries.ensureQueryData(vaultsQuery()),
    ]);
  },
  component: lazyRouteComponent(
    () => import("./pages/recovery-sessions/recovery-session-page.tsx"),
    "RecoverySessionPage",
  ),
});

const restoreTest = createRoute({
  getParentRoute: () => signedIn,
  path: "/restore-tests/$restoreTestId",
  params: { parse: ({ restoreTestId }) => ({ restoreTestId: branded<RestoreTestId>(restoreTestId) }) },
  loader: async ({ context: { queries }, params: { restoreTestId } }) => {
    const test = await queries.ensureQueryData(restoreTestQuery(restoreTestId));
    await Promise.all([
      queries.ensureQueryData(deviceOverviewQuery(test.deviceId)),
      queries.ensureQueryData(deviceProtectionQuery(test.deviceId)),
      queries.ensureQueryData(vaultsQuery()),
    ]);
  },
  component: lazyRouteComponent(
    () => import("./pages/restore-tests/restore-test-page.tsx"),
    "RestoreTestPage",
  ),
});

const evidence = createRoute({
  getParentRoute: () => signedIn,
  path: "/evidence",
  loader: ({ context: { queries } }) =>
    Promise.all([
      queries.ensureInfiniteQueryData(evidenceQuery()),
      queries.ensureQueryData(evidenceKeyQuery()),
    ]),
  component: lazyRouteComponent(() => import("./pages/evidence/evidence-page.tsx"), "EvidencePage"),
});

const vaults = createRoute({
  getParentRoute: () => signedIn,
  path: "/vaults",
  loader: ({ context }) => context.queries.ensureQueryData(vaultsQuery()),
  component: lazyRouteComponent(() => import("./pages/vaults/vaults-page.tsx"), "VaultsPage"),
});

const plans = createRoute({
  getParentRoute: () => signedIn,
  path: "/plans",
  loader: ({ context: { queries } }) =>
    Promise.all([
      queries.ensureQueryData(plansQuery()),
      queries.ensureQueryData(vaultsQuery()),
      queries.ensureQueryData(customersQuery()),
    ]),
  component: lazyRouteComponent(() => import("./pages/plans/plans-page.tsx"), "PlansPage"),
});

const users = createRoute({
  getParentRoute: () => signedIn,
  path: "/settings/users",
  loader: ({ context }) => context.queries.ensureQueryData(usersQuery()),
  component: lazyRouteComponent(() => import("./pages/settings/users-page.tsx"), "UsersPage"),
});

const account = createRoute({
  getParentRoute: () => signedIn,
  path: "/settings/account",
  loader: ({ context }) => context.queries.ensureQueryData(openSessionsQuery()),
  component: lazyRouteComponent(() => import("./pages/settings/account-page.tsx"), "AccountPage"),
});

const audit = createRoute({
  getParentRoute: () => signedIn,
  path: "/audit",
  loader: ({ context }) => context.queries.ensureInfiniteQueryData(auditQuery()),
  component: lazyRouteComponent(() => import("./pages/audit/audit-page.tsx"), "AuditPage"),
});

export const routeTree = root.addChildren([
  setUp,
  signIn,
  signInLink,
  signedIn.addChildren([
    overviewRoute,
    customers,
    customer,
    device,
    recoverySessions,
    recoverySession,
    restoreTest,
    evidence,
    vaults,
    plans,
    users,
    account,
    audit,
  ]),
]);

/** Left out rather than `undefined`, so that the address stays short. */
function textOf(name: "q" | "show", value: unknown): OverviewSearch {
  return typeof value === "string" && value !== "" ? { [name]: value } : {};
}

/** The text of an address as an id. It is not checked here: the server answers a wrong one with words that can be shown. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the brand
function branded<Id extends string>(text: string): Id {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand has no value to check at run time
  return text as Id;
}
