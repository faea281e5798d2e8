/** Puts the newest progress of a run, told by the server, into what is on screen; cheaper than reading the run again each second. */

import type { DeviceOverview, LiveEvent, Overview, Run } from "@mainstay/contract";
import type { QueryClient } from "@tanstack/react-query";

type ProgressEvent = Extract<LiveEvent, { readonly type: "run.progress" }>;

export function applyRunProgress(queries: QueryClient, event: ProgressEvent): void {
  queries.setQueryData<DeviceOverview>(["overview", "device", event.deviceId], (seen) =>
    seen === undefined ? undefined : inDevice(seen, event),
  );
  queries.setQueryData<Overview>(["overview"], (seen) =>
    seen === undefined ? undefined : inOverview(seen, event),
  );
  queries.setQueryData<{ pages: { items: Run[] }[] }>(["runs", event.deviceId], (seen) =>
    seen === undefined
      ? undefined
      : {
          ...seen,
          pages: seen.pages.map((page) => ({ ...page, items: page.items.map((run) => inRun(run, event)) })),
        },
  );
}

function inOverview(seen: Overview, event: ProgressEvent): Overview {
  return {
    ...seen,
    customers: seen.customers.map((entry) =>
      entry.customer.id === event.customerId
        ? { ...entry, devices: entry.devices.map((device) => inDevice(device, event)) }
        : entry,
    ),
  };
}

function inDevice(seen: DeviceOverview, event: ProgressEvent): DeviceOverview {
  return { ...seen, activeRuns: seen.activeRuns.map((run) => inRun(run, event)) };
}

function inRun(run: Run, event: ProgressEvent): Run {
  return run.id === event.subjectId && run.state === "running" ? { ...run, progress: event.progress } : run;
}
