/** Adding a site: a location of a customer, with the clock that its times are shown in. */

import { Select, TextInput } from "@mantine/core";
import type { CustomerId } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { viewerTimeZone } from "../format/instant.ts";
import { FormEnd } from "./form-end.tsx";

/** The runtime's own list; UTC is not in it everywhere. */
const TIME_ZONES = [...new Set([...Intl.supportedValuesOf("timeZone"), "UTC", viewerTimeZone()])].sort();

type SiteCreateProps = { readonly customerId: CustomerId; readonly onClose: () => void };

export function SiteCreate({ customerId, onClose }: SiteCreateProps) {
  const [name, setName] = useState("");
  const [timeZone, setTimeZone] = useState(viewerTimeZone());
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: () => api.sites.create({ body: { customerId, name, timeZone } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["sites"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <TextInput
        label="Name"
        placeholder="Head office"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        data-autofocus
        required
      />
      <Select
        label="Time zone"
        description="Times of this site's devices are shown on this clock"
        data={TIME_ZONES}
        value={timeZone}
        onChange={(value) => setTimeZone(value ?? timeZone)}
        searchable
        allowDeselect={false}
        limit={60}
      />
      <FormEnd
        submit="Add site"
        pending={create.isPending}
        cause={create.error}
        onCancel={onClose}
        disabled={name.trim() === ""}
      />
    </form>
  );
}
