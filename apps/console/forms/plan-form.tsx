/** Making or changing a protection plan. */

import { NumberInput, Select, Switch, TextInput } from "@mantine/core";
import type { Customer, ProtectionPlan, Vault } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { FormEnd } from "./form-end.tsx";
import { bodyOf, planFieldsOf, RETENTION_FIELDS, type PlanFields } from "./plan-fields.ts";

type PlanFormProps = {
  readonly before: ProtectionPlan | null;
  readonly vaults: readonly Vault[];
  readonly customers: readonly Customer[];
  readonly onClose: () => void;
};

export function PlanForm({ before, vaults, customers, onClose }: PlanFormProps) {
  const [fields, setFields] = useState(() => planFieldsOf(before, vaults));
  const set = (part: Partial<PlanFields>) => setFields({ ...fields, ...part });
  const save = useSave(before, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(fields);
  };
  return (
    <form onSubmit={submit} className="stack">
      <div className="pair">
        <TextInput
          label="Name"
          value={fields.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
          required
          data-autofocus
        />
        <Select
          label="Offered to"
          placeholder="Every customer"
          data={customers.map((customer) => ({ value: customer.id, label: customer.name }))}
          value={fields.customerId}
          onChange={(value) => set({ customerId: customers.find((one) => one.id === value)?.id ?? null })}
          disabled={before !== null}
          clearable
          searchable
        />
      </div>
      <Promised fields={fields} set={set} vaults={vaults} />
      <fieldset className="fieldset">
        <legend className="label">Restore points kept</legend>
        <div className="pair" data-narrow>
          {RETENTION_FIELDS.map(({ unit, label }) => (
            <NumberInput
              key={unit}
              label={label}
              min={0}
              max={10_000}
              allowDecimal={false}
              value={fields.retention[unit]}
              onChange={(value) => set({ retention: { ...fields.retention, [unit]: Number(value) } })}
            />
          ))}
        </div>
        <p className="hint">
          One for each period; a point kept by any rule stays. The newest proven one always stays.
        </p>
      </fieldset>
      <FormEnd
        submit={before === null ? "Add plan" : "Save"}
        pending={save.isPending}
        cause={save.error}
        onCancel={onClose}
      />
    </form>
  );
}

function useSave(before: ProtectionPlan | null, onClose: () => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (fields: PlanFields) =>
      before === null
        ? api.protectionPlans.create({ body: { customerId: fields.customerId, ...bodyOf(fields) } })
        : api.protectionPlans.update({ params: { protectionPlanId: before.id }, body: bodyOf(fields) }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["plans"] });
      void queries.invalidateQueries({ queryKey: ["overview"] });
      onClose();
    },
  });
}

type PromisedProps = {
  readonly fields: PlanFields;
  readonly set: (part: Partial<PlanFields>) => void;
  readonly vaults: readonly Vault[];
};

function Promised({ fields, set, vaults }: PromisedProps) {
  const offSite = vaults.filter((vault) => vault.kind === "mainstay");
  return (
    <>
      <div className="pair">
        <NumberInput
          label="RPO"
          description="The newest restore point is never older"
          suffix=" minutes"
          min={1}
          max={525_600}
          value={fields.rpoMinutes}
          onChange={(value) => set({ rpoMinutes: Number(value) })}
        />
        <Select
          label="Replicate to"
          description={offSite.length === 0 ? "Add an off-site vault first" : "Only changes are sent"}
          placeholder="Nowhere: kept in one place only"
          data={offSite.map((vault) => ({ value: vault.id, label: vault.name }))}
          value={fields.replicateTo}
          onChange={(value) => set({ replicateTo: offSite.find((vault) => vault.id === value)?.id ?? null })}
          clearable
        />
      </div>
      <div className="pair">
        <NumberInput
          label="Restore test every"
          description={
            fields.tested ? "Boots, asks the probes, takes a photograph" : "Never tested is never protected"
          }
          suffix=" hours"
          min={1}
          max={8760}
          disabled={!fields.tested}
          value={fields.restoreTestEveryHours}
          onChange={(value) => set({ restoreTestEveryHours: Number(value) })}
        />
        <NumberInput
          label="Bandwidth cap"
          description="For replication; empty: none"
          suffix=" MiB/s"
          min={0.001}
          value={fields.bandwidthCapMib}
          onChange={(value) => set({ bandwidthCapMib: value === "" ? "" : Number(value) })}
        />
      </div>
      <Switch
        label="Test by itself"
        checked={fields.tested}
        onChange={(event) => set({ tested: event.currentTarget.checked })}
      />
    </>
  );
}
