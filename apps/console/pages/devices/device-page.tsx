/** One device: how it stands, its restore points, its runs, and what is promised for it. */

import { useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { customerQuery, deviceOverviewQuery } from "../../api/queries.ts";
import { Page } from "../../components/page.tsx";
import { AgentBadge, VerdictBadge } from "../../components/state-badges.tsx";
import { DEVICE_KIND_WORDS } from "../../components/words.ts";
import { ActiveRuns } from "./active-runs.tsx";
import { Approval } from "./approval.tsx";
import { DeviceActions } from "./device-actions.tsx";
import { DeviceStatus } from "./device-status.tsx";
import { ProtectionSettings } from "./protection-settings.tsx";
import { Repositories } from "./repositories.tsx";
import { RestorePoints } from "./restore-points.tsx";
import { RestoreTests } from "./restore-tests.tsx";
import { Runs } from "./runs.tsx";

const route = getRouteApi("/signed-in/devices/$deviceId");

export function DevicePage() {
  const { deviceId } = route.useParams();
  const { data: seen } = useSuspenseQuery(deviceOverviewQuery(deviceId));
  const { data: customer } = useSuspenseQuery(customerQuery(seen.device.customerId));
  const { device, site } = seen;
  const description = [DEVICE_KIND_WORDS[device.kind], site.name, device.facts.operatingSystem]
    .filter((part) => part !== undefined)
    .join(" · ");
  return (
    <Page
      title={device.name}
      crumbs={[
        { label: "Customers", to: "/customers" },
        { label: customer.name, to: `/customers/${customer.id}` },
      ]}
      beside={
        <>
          <VerdictBadge verdict={seen.protection.verdict} look="soft" />
          <AgentBadge device={device} />
        </>
      }
      description={description}
      actions={<DeviceActions seen={seen} />}
    >
      {device.state === "pending" && <Approval device={device} />}
      <DeviceStatus seen={seen} />
      <ActiveRuns seen={seen} />
      <RestorePoints device={device} timeZone={site.timeZone} />
      <div className="columns" data-share="2-1">
        <div className="columns">
          <Runs deviceId={device.id} timeZone={site.timeZone} />
          <RestoreTests deviceId={device.id} timeZone={site.timeZone} />
        </div>
        <div className="columns">
          <ProtectionSettings device={device} />
          <Repositories deviceId={device.id} />
        </div>
      </div>
    </Page>
  );
}
