/** One customer: its devices, its sites, and the tokens that let agents enrol. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Site } from "@mainstay/contract";
import { IconKey, IconMapPin, IconPlus, IconServer } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { customerOverviewQuery, customerQuery, sitesQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { DEVICE_COLUMNS } from "../../components/device-columns.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { EnrolmentTokenCreate } from "../../forms/enrolment-token-create.tsx";
import { SiteCreate } from "../../forms/site-create.tsx";
import { EnrolmentTokens } from "./enrolment-tokens.tsx";

const route = getRouteApi("/signed-in/customers/$customerId");

export function CustomerPage() {
  const { customerId } = route.useParams();
  const { data: customer } = useSuspenseQuery(customerQuery(customerId));
  const { data: sites } = useSuspenseQuery(sitesQuery(customerId));
  const [addingSite, siteDialog] = useDisclosure(false);
  const [makingToken, tokenDialog] = useDisclosure(false);
  const may = useMay();
  const addSite = (
    <Button variant="default" leftSection={<IconPlus size={16} />} onClick={siteDialog.open}>
      Add site
    </Button>
  );
  const makeToken = (
    <Button leftSection={<IconKey size={16} />} onClick={tokenDialog.open}>
      Enrol devices
    </Button>
  );
  return (
    <Page
      title={customer.name}
      crumbs={[{ label: "Customers", to: "/customers" }]}
      actions={
        may.change && (
          <>
            {addSite}
            {sites.length > 0 && makeToken}
          </>
        )
      }
    >
      <Devices
        next={!may.change ? undefined : sites.length === 0 ? addSite : makeToken}
        hasSites={sites.length > 0}
      />
      <div className="columns" data-share={may.change ? "1-1" : undefined}>
        <Sites sites={sites} />
        {may.change && <EnrolmentTokens customerId={customerId} sites={sites} />}
      </div>
      <Dialog title="Add site" opened={addingSite} onClose={siteDialog.close}>
        <SiteCreate customerId={customerId} onClose={siteDialog.close} />
      </Dialog>
      <Dialog title="Enrol devices" opened={makingToken} onClose={tokenDialog.close} size="lg">
        <EnrolmentTokenCreate customerId={customerId} sites={sites} onClose={tokenDialog.close} />
      </Dialog>
    </Page>
  );
}

function Devices({ next, hasSites }: { readonly next: ReactNode; readonly hasSites: boolean }) {
  const { customerId } = route.useParams();
  const { data: overview } = useSuspenseQuery(customerOverviewQuery(customerId));
  const rows = overview.customers.flatMap((entry) => entry.devices);
  return (
    <Panel title="Devices" padding="flush">
      <ListTable
        caption="Devices of this customer"
        rows={rows}
        rowKey={(row) => row.device.id}
        columns={DEVICE_COLUMNS}
        initialSort={{ key: "verdict", direction: "ascending" }}
        empty={
          <Empty icon={IconServer} title="No devices yet" action={next}>
            {hasSites
              ? "Make an enrolment token and run the agent with it on each machine to protect."
              : "Add a site first: it says where the devices stand and which clock they go by."}
          </Empty>
        }
      />
    </Panel>
  );
}

const SITE_COLUMNS: readonly Column<Site>[] = [
  { key: "name", title: "Site", cell: (site) => site.name, sortBy: (site) => site.name },
  {
    key: "zone",
    title: "Time zone",
    cell: (site) => <span className="quiet">{site.timeZone}</span>,
    sortBy: (site) => site.timeZone,
  },
];

function Sites({ sites }: { readonly sites: readonly Site[] }) {
  return (
    <Panel title="Sites" padding="flush">
      <ListTable
        caption="Sites of this customer"
        rows={sites}
        rowKey={(site) => site.id}
        columns={SITE_COLUMNS}
        initialSort={{ key: "name", direction: "ascending" }}
        empty={
          <Empty icon={IconMapPin} title="No sites yet">
            A site is a location of the customer: an office, a data centre, a home.
          </Empty>
        }
      />
    </Panel>
  );
}
