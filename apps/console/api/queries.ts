/**
 * Every question the console asks, by name. A page's loader and its components use the same one, so they cannot differ.
 *
 * The first part of a key is the area that live events invalidate (see live-areas.ts).
 */

import type {
  CustomerId,
  DeviceId,
  ProtectionPlanId,
  RecoverySessionId,
  RestorePointId,
  RestoreTestId,
} from "@mainstay/contract";
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api } from "./client.ts";
import { everyPage } from "./every-page.ts";

/** Rows read at once of lists that grow for ever. */
const ROWS = 100;

const paging = {
  // Cursors are text; the first page has none.
  initialPageParam: null as string | null,
  getNextPageParam: (page: { readonly next: string | null }) => page.next,
};

export const setUpQuery = () =>
  queryOptions({ queryKey: ["set-up"], queryFn: ({ signal }) => api.setUp.read({}, { signal }) });

export const sessionQuery = () =>
  queryOptions({
    queryKey: ["session"],
    queryFn: ({ signal }) => api.sessions.read({}, { signal }),
    staleTime: 300_000,
  });

export const openSessionsQuery = () =>
  queryOptions({ queryKey: ["session", "open"], queryFn: ({ signal }) => api.sessions.list({}, { signal }) });

export const overviewQuery = () =>
  queryOptions({ queryKey: ["overview"], queryFn: ({ signal }) => api.overview.read({}, { signal }) });

export const customerOverviewQuery = (customerId: CustomerId) =>
  queryOptions({
    queryKey: ["overview", "customer", customerId],
    queryFn: ({ signal }) => api.overview.read({ query: { customerId } }, { signal }),
  });

export const deviceOverviewQuery = (deviceId: DeviceId) =>
  queryOptions({
    queryKey: ["overview", "device", deviceId],
    queryFn: ({ signal }) => api.overview.device({ params: { deviceId } }, { signal }),
  });

export const customersQuery = () =>
  queryOptions({
    queryKey: ["customers"],
    queryFn: ({ signal }) => everyPage((query) => api.customers.list({ query }, { signal })),
  });

export const customerQuery = (customerId: CustomerId) =>
  queryOptions({
    queryKey: ["customers", customerId],
    queryFn: ({ signal }) => api.customers.read({ params: { customerId } }, { signal }),
  });

export const sitesQuery = (customerId: CustomerId) =>
  queryOptions({
    queryKey: ["sites", customerId],
    queryFn: ({ signal }) =>
      everyPage((query) => api.sites.list({ query: { ...query, customerId } }, { signal })),
  });

export const enrolmentTokensQuery = (customerId: CustomerId) =>
  queryOptions({
    queryKey: ["enrolment-tokens", customerId],
    queryFn: ({ signal }) =>
      everyPage((query) => api.enrolmentTokens.list({ query: { ...query, customerId } }, { signal })),
  });

export const deviceProtectionQuery = (deviceId: DeviceId) =>
  queryOptions({
    queryKey: ["device-protection", deviceId],
    queryFn: ({ signal }) => api.deviceProtection.read({ params: { deviceId } }, { signal }),
  });

export const repositoriesQuery = (deviceId: DeviceId) =>
  queryOptions({
    queryKey: ["repositories", deviceId],
    queryFn: ({ signal }) => api.deviceProtection.repositories({ params: { deviceId } }, { signal }),
  });

export const restorePointsQuery = (deviceId: DeviceId) =>
  infiniteQueryOptions({
    queryKey: ["restore-points", deviceId],
    queryFn: ({ signal, pageParam }) =>
      api.restorePoints.list({ query: { deviceId, limit: ROWS, ...cursorOf(pageParam) } }, { signal }),
    ...paging,
  });

export const restorePointQuery = (restorePointId: RestorePointId) =>
  queryOptions({
    queryKey: ["restore-points", "one", restorePointId],
    queryFn: ({ signal }) => api.restorePoints.read({ params: { restorePointId } }, { signal }),
  });

export const runsQuery = (deviceId: DeviceId) =>
  infiniteQueryOptions({
    queryKey: ["runs", deviceId],
    queryFn: ({ signal, pageParam }) =>
      api.runs.list({ query: { deviceId, limit: 25, ...cursorOf(pageParam) } }, { signal }),
    ...paging,
  });

export const restoreTestsQuery = (deviceId: DeviceId) =>
  queryOptions({
    queryKey: ["restore-tests", deviceId],
    queryFn: ({ signal }) => api.restoreTests.list({ query: { deviceId, limit: 20 } }, { signal }),
  });

export const restoreTestQuery = (restoreTestId: RestoreTestId) =>
  queryOptions({
    queryKey: ["restore-tests", "one", restoreTestId],
    queryFn: ({ signal }) => api.restoreTests.read({ params: { restoreTestId } }, { signal }),
  });

export const recoverySessionsQuery = () =>
  infiniteQueryOptions({
    queryKey: ["recovery-sessions"],
    queryFn: ({ signal, pageParam }) =>
      api.recoverySessions.list({ query: { limit: ROWS, ...cursorOf(pageParam) } }, { signal }),
    ...paging,
  });

export const recoverySessionQuery = (recoverySessionId: RecoverySessionId) =>
  queryOptions({
    queryKey: ["recovery-sessions", "one", recoverySessionId],
    queryFn: ({ signal }) => api.recoverySessions.read({ params: { recoverySessionId } }, { signal }),
  });

export const evidenceQuery = () =>
  infiniteQueryOptions({
    queryKey: ["evidence"],
    queryFn: ({ signal, pageParam }) =>
      api.evidence.list({ query: { limit: ROWS, ...cursorOf(pageParam) } }, { signal }),
    ...paging,
  });

export const evidenceKeyQuery = () =>
  queryOptions({ queryKey: ["evidence", "key"], queryFn: ({ signal }) => api.evidence.key({}, { signal }) });

export const vaultsQuery = () =>
  queryOptions({
    queryKey: ["vaults"],
    queryFn: ({ signal }) => everyPage((query) => api.vaults.list({ query }, { signal })),
  });

export const peersQuery = () =>
  queryOptions({ queryKey: ["peers"], queryFn: ({ signal }) => api.peers.list({}, { signal }) });

export const plansQuery = () =>
  queryOptions({
    queryKey: ["plans"],
    queryFn: ({ signal }) => everyPage((query) => api.protectionPlans.list({ query }, { signal })),
  });

export const planQuery = (protectionPlanId: ProtectionPlanId) =>
  queryOptions({
    queryKey: ["plans", protectionPlanId],
    queryFn: ({ signal }) => api.protectionPlans.read({ params: { protectionPlanId } }, { signal }),
  });

export const usersQuery = () =>
  queryOptions({
    queryKey: ["users"],
    queryFn: ({ signal }) => everyPage((query) => api.users.list({ query }, { signal })),
  });

export const auditQuery = () =>
  infiniteQueryOptions({
    queryKey: ["audit"],
    queryFn: ({ signal, pageParam }) =>
      api.audit.list({ query: { limit: ROWS, ...cursorOf(pageParam) } }, { signal }),
    ...paging,
  });

function cursorOf(cursor: string | null): { readonly cursor?: string } {
  return cursor === null ? {} : { cursor };
}
