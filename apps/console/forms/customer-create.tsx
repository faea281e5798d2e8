/** Adding a customer. */

import { TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { FormEnd } from "./form-end.tsx";

export function CustomerCreate({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState("");
  const navigate = useNavigate();
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: () => api.customers.create({ body: { name } }),
    onSuccess: async (customer) => {
      void queries.invalidateQueries({ queryKey: ["customers"] });
      void queries.invalidateQueries({ queryKey: ["overview"] });
      onClose();
      await navigate({ to: "/customers/$customerId", params: { customerId: customer.id } });
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
        description="As it stands on contracts and evidence"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        data-autofocus
        required
      />
      <FormEnd
        submit="Add customer"
        pending={create.isPending}
        cause={create.error}
        onCancel={onClose}
        disabled={name.trim() === ""}
      />
    </form>
  );
}
