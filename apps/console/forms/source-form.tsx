/** Adding what the agent captures on a device. */

import { Select, Textarea, TextInput } from "@mantine/core";
import type { CaptureSource, DeviceProtection } from "@mainstay/contract";
import { useState, type FormEvent } from "react";
import { useUpdateProtection } from "../pages/devices/use-update-protection.ts";
import { FormEnd } from "./form-end.tsx";
import { SOURCE_KIND_LIST, SOURCE_KINDS } from "./source-words.ts";

type Fields = {
  readonly kind: CaptureSource["kind"];
  readonly name: string;
  readonly path: string;
  readonly qmpSocket: string;
  readonly node: string;
};

const KINDS = SOURCE_KIND_LIST.map((value) => ({ value, label: SOURCE_KINDS[value] }));

type SourceFormProps = { readonly protection: DeviceProtection; readonly onClose: () => void };

export function SourceForm({ protection, onClose }: SourceFormProps) {
  const [fields, setFields] = useState<Fields>({ kind: "raw", name: "", path: "", qmpSocket: "", node: "" });
  const set = (part: Partial<Fields>) => setFields({ ...fields, ...part });
  const update = useUpdateProtection(protection.deviceId, onClose);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    update.mutate({ sources: [...protection.sources, sourceOf(fields)] });
  };
  return (
    <form onSubmit={submit} className="stack">
      <Select
        label="Kind"
        data={KINDS}
        value={fields.kind}
        onChange={(value) => set({ kind: KINDS.find((kind) => kind.value === value)?.value ?? fields.kind })}
        allowDeselect={false}
      />
      <TextInput
        label="Name"
        description="How the disk is called in its restore points"
        placeholder="sda"
        value={fields.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
        required
        data-autofocus
      />
      <PlaceFields fields={fields} set={set} />
      <FormEnd submit="Add source" pending={update.isPending} cause={update.error} onCancel={onClose} />
    </form>
  );
}

type PlaceFieldsProps = { readonly fields: Fields; readonly set: (part: Partial<Fields>) => void };

function PlaceFields({ fields, set }: PlaceFieldsProps) {
  switch (fields.kind) {
    case "raw":
    case "qcow2":
      return (
        <TextInput
          label="Path on the device"
          placeholder={fields.kind === "raw" ? "/dev/sda" : "/var/lib/machines/server.qcow2"}
          value={fields.path}
          onChange={(event) => set({ path: event.currentTarget.value })}
          required
        />
      );
    case "files":
      return (
        <Textarea
          label="Paths on the device, one a line"
          autosize
          minRows={2}
          value={fields.path}
          onChange={(event) => set({ path: event.currentTarget.value })}
          required
        />
      );
    case "qemu":
      return (
        <div className="pair">
          <TextInput
            label="QMP socket"
            placeholder="/run/machine.qmp"
            value={fields.qmpSocket}
            onChange={(event) => set({ qmpSocket: event.currentTarget.value })}
            required
          />
          <TextInput
            label="Block node"
            placeholder="disk0"
            value={fields.node}
            onChange={(event) => set({ node: event.currentTarget.value })}
            required
          />
        </div>
      );
  }
}

function sourceOf({ kind, name, path, qmpSocket, node }: Fields): CaptureSource {
  switch (kind) {
    case "raw":
    case "qcow2":
      return { kind, name, path };
    case "files":
      return {
        kind,
        name,
        paths: path
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line !== ""),
      };
    case "qemu":
      return { kind, name, qmpSocket, node };
  }
}
