/** Adding or changing a probe: a question to the recovered machine and the answer that proves it. */

import { NumberInput, PasswordInput, Select, Textarea, TextInput } from "@mantine/core";
import type { DeviceProtection, ProbeSpec } from "@mainstay/contract";
import { useState, type FormEvent } from "react";
import { useUpdateProtection } from "../pages/devices/use-update-protection.ts";
import { FormEnd } from "./form-end.tsx";
import { fieldsOf, probeOf, type ProbeFields } from "./probe-fields.ts";
import { PROBE_KIND_LIST, PROBE_KINDS } from "./probe-words.ts";

const KINDS = PROBE_KIND_LIST.map((value) => ({ value, label: PROBE_KINDS[value] }));
const ENGINES: readonly { readonly value: ProbeFields["engine"]; readonly label: string }[] = [
  { value: "postgresql", label: "PostgreSQL" },
  { value: "mysql", label: "MySQL" },
  { value: "sqlserver", label: "SQL Server" },
];

type ProbeFormProps = {
  readonly protection: DeviceProtection;
  /** The probe to change; `null` adds one. */
  readonly before: ProbeSpec | null;
  readonly onClose: () => void;
};

export function ProbeForm({ protection, before, onClose }: ProbeFormProps) {
  const [fields, setFields] = useState(() => fieldsOf(before));
  const set = (part: Partial<ProbeFields>) => setFields({ ...fields, ...part });
  const update = useUpdateProtection(protection.deviceId, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const changed = probeOf(fields);
    const probes = protection.probes.map((probe) => (probe.name === before?.name ? changed : probe));
    update.mutate({ probes: before === null ? [...protection.probes, changed] : probes });
  };
  return (
    <form onSubmit={submit} className="stack">
      <div className="pair">
        <Select
          label="Kind"
          data={KINDS}
          value={fields.kind}
          onChange={(value) =>
            set({ kind: KINDS.find((kind) => kind.value === value)?.value ?? fields.kind })
          }
          allowDeselect={false}
        />
        <TextInput
          label="Name"
          placeholder="Orders are there"
          value={fields.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
          required
          data-autofocus
        />
      </div>
      <KindFields fields={fields} set={set} />
      <FormEnd
        submit={before === null ? "Add probe" : "Save"}
        pending={update.isPending}
        cause={update.error}
        onCancel={onClose}
      />
    </form>
  );
}

type PartProps = { readonly fields: ProbeFields; readonly set: (part: Partial<ProbeFields>) => void };

function KindFields({ fields, set }: PartProps) {
  switch (fields.kind) {
    case "tcp":
      return <PortField fields={fields} set={set} />;
    case "http":
      return <HttpFields fields={fields} set={set} />;
    case "sql":
      return <SqlFields fields={fields} set={set} />;
    case "screen-text":
      return (
        <TextInput
          label="Text that must be on the screen"
          value={fields.text}
          onChange={(event) => set({ text: event.currentTarget.value })}
          required
        />
      );
    case "guest-command":
      return <CommandFields fields={fields} set={set} />;
  }
}

function PortField({ fields, set }: PartProps) {
  return (
    <NumberInput
      label="Port"
      min={1}
      max={65_535}
      allowDecimal={false}
      value={fields.port}
      onChange={(value) => set({ port: Number(value) })}
    />
  );
}

function HttpFields({ fields, set }: PartProps) {
  return (
    <>
      <div className="pair">
        <Select
          label="Scheme"
          data={["http", "https"]}
          value={fields.scheme}
          onChange={(value) => set({ scheme: value === "https" ? "https" : "http" })}
          allowDeselect={false}
        />
        <PortField fields={fields} set={set} />
      </div>
      <TextInput
        label="Path"
        value={fields.path}
        onChange={(event) => set({ path: event.currentTarget.value })}
        required
      />
      <div className="pair">
        <NumberInput
          label="Expected status"
          min={100}
          max={599}
          value={fields.expectedStatus}
          onChange={(value) => set({ expectedStatus: Number(value) })}
        />
        <TextInput
          label="Text in the answer (optional)"
          value={fields.expected}
          onChange={(event) => set({ expected: event.currentTarget.value })}
        />
      </div>
    </>
  );
}

function SqlFields({ fields, set }: PartProps) {
  return (
    <>
      <div className="pair">
        <Select
          label="Engine"
          data={ENGINES}
          value={fields.engine}
          onChange={(value) =>
            set({ engine: ENGINES.find((engine) => engine.value === value)?.value ?? fields.engine })
          }
          allowDeselect={false}
        />
        <PortField fields={fields} set={set} />
      </div>
      <div className="pair">
        <TextInput
          label="Database"
          value={fields.database}
          onChange={(event) => set({ database: event.currentTarget.value })}
          required
        />
        <TextInput
          label="User"
          value={fields.user}
          onChange={(event) => set({ user: event.currentTarget.value })}
          required
          autoComplete="off"
        />
        <PasswordInput
          label="Password"
          placeholder={fields.stored ? "Left empty: the stored one stays" : undefined}
          value={fields.password}
          onChange={(event) => set({ password: event.currentTarget.value })}
          autoComplete="new-password"
        />
      </div>
      <Textarea
        label="Query"
        autosize
        minRows={2}
        value={fields.query}
        onChange={(event) => set({ query: event.currentTarget.value })}
        required
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
      />
      <TextInput
        label="Expected answer (optional)"
        description="First column of the first row, as text. Left empty, any answer passes."
        value={fields.expected}
        onChange={(event) => set({ expected: event.currentTarget.value })}
      />
    </>
  );
}

function CommandFields({ fields, set }: PartProps) {
  return (
    <>
      <TextInput
        label="Command"
        description="The machine needs the QEMU guest agent"
        placeholder="/usr/bin/systemctl"
        value={fields.command}
        onChange={(event) => set({ command: event.currentTarget.value })}
        required
      />
      <Textarea
        label="Arguments, one a line"
        autosize
        minRows={2}
        value={fields.argumentLines}
        onChange={(event) => set({ argumentLines: event.currentTarget.value })}
      />
      <TextInput
        label="Text in the output (optional)"
        value={fields.expected}
        onChange={(event) => set({ expected: event.currentTarget.value })}
      />
    </>
  );
}
