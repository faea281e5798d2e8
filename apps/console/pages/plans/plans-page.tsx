/** Protection plans: what is promised, how long it is kept, where to, how often it is proven. */

import { ActionIcon, Button } from "@mantine/core";
import type { Customer, ProtectionPlan, Vault } from "@mainstay/contract";
import { IconCalendarRepeat, IconCircleDashed, IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client.ts";
import { customersQuery, plansQuery, vaultsQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Badge } from "../../components/badge.tsx";
import { Confirm } from "../../components/confirm.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { retentionWords } from "../../components/words.ts";
import { PlanForm } from "../../forms/plan-form.tsx";
import { formatCount } from "../../format/bytes.ts";
import { formatDuration, formatMinutes } from "../../format/duration.ts";

type Open =
  | { readonly kind: "edit"; readonly plan: ProtectionPlan | null }
  | { readonly kind: "remove"; readonly plan: ProtectionPlan };

export function PlansPage() {
  const { data: plans } = useSuspenseQuery(plansQuery());
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const { data: customers } = useSuspenseQuery(customersQuery());
  const [open, setOpen] = useState<Open>();
  const may = useMay();
  const close = () => setOpen(undefined);
  const add = may.change ? (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setOpen({ kind: "edit", plan: null })}>
      Add protection plan
    </Button>
  ) : undefined;
  const columns = [...columnsFor(vaults, customers), ...(may.change ? [actionsColumn(setOpen)] : [])];
  return (
    <Page
      title="Protection plans"
      description="A plan is a promise that is measured all the time: how much may be lost, and how often recovery is proven."
      actions={add}
    >
      <Panel title="All plans" padding="flush">
        <ListTable
          caption="Protection plans"
          rows={plans}
          rowKey={(plan) => plan.id}
          columns={columns}
          initialSort={{ key: "name", direction: "ascending" }}
          empty={
            <Empty icon={IconCalendarRepeat} title="No protection plans yet" action={add}>
              Make one and assign it on a device's page; backups, replicas and restore tests then run by
              themselves.
            </Empty>
          }
        />
      </Panel>
      <Dialog
        title={open?.plan === null ? "Add protection plan" : "Change protection plan"}
        opened={open?.kind === "edit"}
        onClose={close}
        size="lg"
      >
        {open?.kind === "edit" && (
          <PlanForm before={open.plan} vaults={vaults} customers={customers} onClose={close} />
        )}
      </Dialog>
      {open?.kind === "remove" && <RemovePlan plan={open.plan} onClose={close} />}
    </Page>
  );
}

function columnsFor(
  vaults: readonly Vault[],
  customers: readonly Customer[],
): readonly Column<ProtectionPlan>[] {
  return [
    {
      key: "name",
      title: "Plan",
      cell: (plan) => (
        <span className="two-lines">
          <span>{plan.name}</span>
          <span className="quiet">
            {plan.customerId === null
              ? "For every customer"
              : `For ${customers.find((one) => one.id === plan.customerId)?.name ?? "one customer"}`}
          </span>
        </span>
      ),
      sortBy: (plan) => plan.name,
    },
    {
      key: "rpo",
      title: "RPO",
      cell: (plan) => formatMinutes(plan.rpoMinutes),
      sortBy: (plan) => plan.rpoMinutes,
    },
    { key: "keeps", title: "Keeps", cell: (plan) => retentionWords(plan.retention) },
    {
      key: "replicates",
      title: "Replicates to",
      cell: (plan) =>
        plan.replicateTo === null ? (
          <Nothing>Nowhere</Nothing>
        ) : (
          (vaults.find((vault) => vault.id === plan.replicateTo)?.name ?? "Unknown vault")
        ),
    },
    {
      key: "tests",
      title: "Restore test every",
      cell: (plan) =>
        plan.restoreTestEveryHours === null ? (
          <Nothing>Never</Nothing>
        ) : (
          formatDuration(plan.restoreTestEveryHours * 3_600_000)
        ),
      sortBy: (plan) => plan.restoreTestEveryHours,
    },
    {
      key: "devices",
      title: "Devices",
      cell: (plan) => plan.devices,
      sortBy: (plan) => plan.devices,
      align: "right",
    },
  ];
}

function Nothing({ children }: { readonly children: string }) {
  return (
    <Badge tone="warn" icon={IconCircleDashed}>
      {children}
    </Badge>
  );
}

function actionsColumn(setOpen: (open: Open) => void): Column<ProtectionPlan> {
  return {
    key: "actions",
    title: "",
    align: "right",
    phone: "bare",
    cell: (plan) => (
      <span style={{ display: "inline-flex", gap: 2 }}>
        <ActionIcon aria-label={`Change ${plan.name}`} onClick={() => setOpen({ kind: "edit", plan })}>
          <IconPencil size={16} />
        </ActionIcon>
        <ActionIcon aria-label={`Remove ${plan.name}`} onClick={() => setOpen({ kind: "remove", plan })}>
          <IconTrash size={16} />
        </ActionIcon>
      </span>
    ),
  };
}

function RemovePlan({ plan, onClose }: { readonly plan: ProtectionPlan; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const remove = async () => {
    await api.protectionPlans.remove({ params: { protectionPlanId: plan.id } });
    await queries.invalidateQueries({ queryKey: ["plans"] });
  };
  return (
    <Confirm title={`Remove ${plan.name}?`} action="Remove" danger run={remove} opened onClose={onClose}>
      <p className="prose">
        {plan.devices === 0
          ? "No device follows it. Restore points stay as they are."
          : `${formatCount(plan.devices, "device")} still follow it: give them another plan first.`}
      </p>
    </Confirm>
  );
}
