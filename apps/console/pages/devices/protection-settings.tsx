/** What is promised for a device and how it is kept: plan, what is captured, which probes prove it. */

import { ActionIcon, Button, Select } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { CaptureSource, Device, DeviceProtection, ProbeSpec } from "@mainstay/contract";
import { IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { deviceProtectionQuery, plansQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Dialog } from "../../components/dialog.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import { retentionWords } from "../../components/words.ts";
import { ProbeForm } from "../../forms/probe-form.tsx";
import { probeWords } from "../../forms/probe-words.ts";
import { SourceForm } from "../../forms/source-form.tsx";
import { sourceWords } from "../../forms/source-words.ts";
import { formatDuration, formatMinutes } from "../../format/duration.ts";
import classes from "./protection-settings.module.css";
import { useUpdateProtection } from "./use-update-protection.ts";

export function ProtectionSettings({ device }: { readonly device: Device }) {
  const { data: protection } = useSuspenseQuery(deviceProtectionQuery(device.id));
  return (
    <Panel title="Protection">
      <div className={classes.parts}>
        <PlanChoice device={device} protection={protection} />
        <Sources protection={protection} />
        <Probes protection={protection} />
      </div>
    </Panel>
  );
}

function PlanChoice({
  device,
  protection,
}: {
  readonly device: Device;
  readonly protection: DeviceProtection;
}) {
  const { data: plans } = useSuspenseQuery(plansQuery());
  const may = useMay();
  const update = useUpdateProtection(device.id);
  const offered = plans.filter((plan) => plan.customerId === null || plan.customerId === device.customerId);
  const plan = offered.find((one) => one.id === protection.planId);
  return (
    <div>
      <Select
        label="Protection plan"
        placeholder="None: not protected"
        data={offered.map((one) => ({ value: one.id, label: one.name }))}
        value={protection.planId}
        disabled={!may.change || update.isPending}
        onChange={(value) => update.mutate({ planId: offered.find((one) => one.id === value)?.id ?? null })}
        clearable
      />
      {plan !== undefined && (
        <p className="hint">
          RPO {formatMinutes(plan.rpoMinutes)} · keeps {retentionWords(plan.retention)} ·{" "}
          {plan.restoreTestEveryHours === null
            ? "never tested"
            : `tested every ${formatDuration(plan.restoreTestEveryHours * 3_600_000)}`}
          {plan.replicateTo === null && " · not replicated off-site"}
        </p>
      )}
      <ProblemLine cause={update.error} />
    </div>
  );
}

function Sources({ protection }: { readonly protection: DeviceProtection }) {
  const [adding, dialog] = useDisclosure(false);
  const update = useUpdateProtection(protection.deviceId);
  const remove = (source: CaptureSource) =>
    update.mutate({ sources: protection.sources.filter((one) => one !== source) });
  return (
    <SettingList
      title="What is captured"
      empty="Nothing yet: without a disk or folder to capture, no backup can run."
      add="Add a source"
      onAdd={dialog.open}
      items={protection.sources.map((source) => ({
        key: source.name,
        name: source.name,
        words: sourceWords(source),
        onRemove: () => remove(source),
      }))}
      cause={update.error}
    >
      <Dialog title="Add a source" opened={adding} onClose={dialog.close}>
        <SourceForm protection={protection} onClose={dialog.close} />
      </Dialog>
    </SettingList>
  );
}

type Editing = { readonly probe: ProbeSpec | null };

function Probes({ protection }: { readonly protection: DeviceProtection }) {
  const [editing, setEditing] = useState<Editing>();
  const update = useUpdateProtection(protection.deviceId);
  const close = () => setEditing(undefined);
  const remove = (probe: ProbeSpec) =>
    update.mutate({ probes: protection.probes.filter((one) => one !== probe) });
  return (
    <SettingList
      title="Probes"
      empty="None: a restore test then only proves that the machine starts. Ask it something, such as a query with a known answer."
      add="Add a probe"
      onAdd={() => setEditing({ probe: null })}
      items={protection.probes.map((probe) => ({
        key: probe.name,
        name: probe.name,
        words: probeWords(probe),
        onEdit: () => setEditing({ probe }),
        onRemove: () => remove(probe),
      }))}
      cause={update.error}
    >
      <Dialog
        title={editing?.probe === null ? "Add a probe" : "Change the probe"}
        opened={editing !== undefined}
        onClose={close}
        size="lg"
      >
        <ProbeForm protection={protection} before={editing?.probe ?? null} onClose={close} />
      </Dialog>
    </SettingList>
  );
}

type SettingItem = {
  readonly key: string;
  readonly name: string;
  readonly words: string;
  readonly onEdit?: () => void;
  readonly onRemove: () => void;
};

type SettingListProps = {
  readonly title: string;
  readonly empty: string;
  readonly add: string;
  readonly onAdd: () => void;
  readonly items: readonly SettingItem[];
  readonly cause: unknown;
  readonly children: ReactNode;
};

function SettingList({ title, empty, add, onAdd, items, cause, children }: SettingListProps) {
  const may = useMay();
  return (
    <div>
      <h3 className="label">{title}</h3>
      {items.length === 0 && <p className="hint">{empty}</p>}
      <ul className={classes.items}>
        {items.map((item) => (
          <SettingRow key={item.key} item={item} mayChange={may.change} />
        ))}
      </ul>
      <ProblemLine cause={cause} />
      {may.change && (
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconPlus size={14} />}
          onClick={onAdd}
          mt={4}
        >
          {add}
        </Button>
      )}
      {children}
    </div>
  );
}

function SettingRow({ item, mayChange }: { readonly item: SettingItem; readonly mayChange: boolean }) {
  return (
    <li className={classes.item}>
      <span className="two-lines">
        <span className={classes.name}>{item.name}</span>
        <span className="quiet">{item.words}</span>
      </span>
      {mayChange && (
        <span className={classes.buttons}>
          {item.onEdit !== undefined && (
            <ActionIcon size="sm" aria-label={`Change ${item.name}`} onClick={item.onEdit}>
              <IconPencil size={15} />
            </ActionIcon>
          )}
          <ActionIcon size="sm" aria-label={`Remove ${item.name}`} onClick={item.onRemove}>
            <IconTrash size={15} />
          </ActionIcon>
        </span>
      )}
    </li>
  );
}
