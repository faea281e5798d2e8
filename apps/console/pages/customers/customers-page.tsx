/** All customers, with how their devices stand. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Customer, Overview } from "@mainstay/contract";
import { verdicts } from "@mainstay/contract";
import { IconBuildings, IconPlus } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { customersQuery, overviewQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Badge } from "../../components/badge.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { VERDICTS } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { CustomerCreate } from "../../forms/customer-create.tsx";
import { viewerTimeZone } from "../../format/instant.ts";

type Row = { readonly customer: Customer; readonly entry: Overview["customers"][number] | undefined };

const COLUMNS: readonly Column<Row>[] = [
  {
    key: "name",
    title: "Customer",
    cell: ({ customer }) => (
      <Link to="/customers/$customerId" params={{ customerId: customer.id }}>
        {customer.name}
      </Link>
    ),
    sortBy: ({ customer }) => customer.name,
  },
  {
    key: "devices",
    title: "Devices",
    cell: ({ entry }) => entry?.devices.length ?? 0,
    sortBy: ({ entry }) => entry?.devices.length ?? 0,
    align: "right",
    width: "7rem",
  },
  { key: "verdicts", title: "Protection", cell: ({ entry }) => <VerdictsOf entry={entry} /> },
  {
    key: "since",
    title: "Customer since",
    cell: ({ customer }) => <When at={customer.createdAt} timeZone={viewerTimeZone()} show="absolute" />,
    sortBy: ({ customer }) => Date.parse(customer.createdAt),
    phone: "hide",
  },
];

export function CustomersPage() {
  const { data: customers } = useSuspenseQuery(customersQuery());
  const { data: overview } = useSuspenseQuery(overviewQuery());
  const [adding, dialog] = useDisclosure(false);
  const may = useMay();
  const entries = new Map(overview.customers.map((entry) => [entry.customer.id, entry]));
  const rows = customers
    .filter((customer) => customer.state === "active")
    .map((customer) => ({ customer, entry: entries.get(customer.id) }));
  const add = may.change ? (
    <Button leftSection={<IconPlus size={16} />} onClick={dialog.open}>
      Add customer
    </Button>
  ) : undefined;
  return (
    <Page
      title="Customers"
      description="The organisations you serve, with their sites and devices."
      actions={add}
    >
      <Panel title="All customers" padding="flush">
        <ListTable
          caption="Customers"
          rows={rows}
          rowKey={({ customer }) => customer.id}
          columns={COLUMNS}
          initialSort={{ key: "name", direction: "ascending" }}
          empty={
            <Empty icon={IconBuildings} title="No customers yet" action={add}>
              A customer has sites, and sites have devices. Add the first one; it takes a name and nothing
              else.
            </Empty>
          }
        />
      </Panel>
      <Dialog title="Add customer" opened={adding} onClose={dialog.close}>
        <CustomerCreate onClose={dialog.close} />
      </Dialog>
    </Page>
  );
}

function VerdictsOf({ entry }: { readonly entry: Row["entry"] }) {
  const present = verdicts.filter((verdict) => (entry?.verdicts[verdict] ?? 0) > 0);
  if (entry === undefined || present.length === 0) return <span className="quiet">No devices</span>;
  return (
    <span style={{ display: "inline-flex", flexWrap: "wrap", gap: "0.125rem 0.875rem" }}>
      {present.map((verdict) => (
        <Badge key={verdict} tone={VERDICTS[verdict].tone} icon={VERDICTS[verdict].icon}>
          {entry.verdicts[verdict]} {VERDICTS[verdict].label.toLowerCase()}
        </Badge>
      ))}
    </span>
  );
}
