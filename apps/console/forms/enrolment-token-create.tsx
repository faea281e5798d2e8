/** Making an enrolment token, and showing its text once together with the command that uses it. */

import { Alert, Button, NumberInput, SegmentedControl, Select } from "@mantine/core";
import type { CustomerId, Site, SiteId } from "@mainstay/contract";
import { IconEyeOff } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { CopyText } from "../components/copy-text.tsx";
import { When } from "../components/when.tsx";
import { FormEnd } from "./form-end.tsx";

type EnrolmentTokenCreateProps = {
  readonly customerId: CustomerId;
  readonly sites: readonly Site[];
  readonly onClose: () => void;
};

type Approval = "by-technician" | "automatic";

export function EnrolmentTokenCreate({ customerId, sites, onClose }: EnrolmentTokenCreateProps) {
  const [siteId, setSiteId] = useState<SiteId | undefined>(sites.at(0)?.id);
  const [usesMax, setUsesMax] = useState(1);
  const [validHours, setValidHours] = useState(24);
  const [approval, setApproval] = useState<Approval>("by-technician");
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: (chosen: SiteId) =>
      api.enrolmentTokens.create({ body: { customerId, siteId: chosen, usesMax, validHours, approval } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["enrolment-tokens"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (siteId !== undefined) create.mutate(siteId);
  };
  if (create.data !== undefined) {
    const zone = sites.find((site) => site.id === siteId)?.timeZone ?? "UTC";
    return (
      <TokenText
        text={create.data.text}
        expiresAt={create.data.token.expiresAt}
        timeZone={zone}
        onClose={onClose}
      />
    );
  }
  return (
    <form onSubmit={submit} className="stack">
      <Select
        label="Site"
        data={sites.map((site) => ({ value: site.id, label: site.name }))}
        value={siteId ?? null}
        onChange={(value) => setSiteId(sites.find((site) => site.id === value)?.id)}
        allowDeselect={false}
        data-autofocus
      />
      <div className="pair">
        <NumberInput
          label="Devices it may enrol"
          min={1}
          max={1000}
          value={usesMax}
          onChange={(value) => setUsesMax(Number(value))}
        />
        <NumberInput
          label="Valid for"
          suffix=" hours"
          min={1}
          max={720}
          value={validHours}
          onChange={(value) => setValidHours(Number(value))}
        />
      </div>
      <ApprovalChoice value={approval} onChange={setApproval} />
      <FormEnd
        submit="Make token"
        pending={create.isPending}
        cause={create.error}
        onCancel={onClose}
        disabled={siteId === undefined}
      />
    </form>
  );
}

function ApprovalChoice({
  value,
  onChange,
}: {
  readonly value: Approval;
  readonly onChange: (value: Approval) => void;
}) {
  return (
    <div>
      <SegmentedControl
        fullWidth
        aria-label="Approval"
        value={value}
        onChange={onChange}
        data={[
          { value: "by-technician", label: "A technician approves each" },
          { value: "automatic", label: "Active at once" },
        ]}
      />
      <p className="hint">
        {value === "automatic"
          ? "Whoever has the token can enrol a device and start storing backups. Use it for a bulk installation, with a short time."
          : "An enrolled device gets no work until a technician has compared its key and approved it."}
      </p>
    </div>
  );
}

type TokenTextProps = {
  readonly text: string;
  readonly expiresAt: string;
  readonly timeZone: string;
  readonly onClose: () => void;
};

function TokenText({ text, expiresAt, timeZone, onClose }: TokenTextProps) {
  return (
    <div className="stack">
      <Alert icon={<IconEyeOff size={18} />} color="yellow" variant="light" title="Shown only now">
        The server keeps no copy it could show again. Take it along before you close this.
      </Alert>
      <div>
        <h3 className="label">On the machine to protect, as root</h3>
        <CopyText text={`./mainstay agent enrol --token ${text}`} what="the install command" />
      </div>
      <div>
        <h3 className="label">The token alone</h3>
        <CopyText text={text} what="the token" />
      </div>
      <p className="hint">
        Valid until <When at={expiresAt} timeZone={timeZone} show="absolute" />. It holds this server's
        address and identity, so the agent cannot be led to another server.
      </p>
      <div className="form-end">
        <Button onClick={onClose}>Close</Button>
      </div>
    </div>
  );
}
