/** Adding another Mainstay as the off-site vault, by the invitation it made. */

import { Textarea, TextInput } from "@mantine/core";
import { decodePeerTicket } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { FormEnd } from "./form-end.tsx";

export function VaultAdd({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState("");
  const [invitation, setInvitation] = useState("");
  const queries = useQueryClient();
  const add = useMutation({
    mutationFn: () => api.vaults.create({ body: { kind: "mainstay", name, invitation: invitation.trim() } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["vaults"] });
      onClose();
    },
  });
  const ticket = decodePeerTicket(invitation);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <TextInput
        label="Name"
        placeholder="Off-site"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        required
        data-autofocus
      />
      <Textarea
        label="Invitation"
        description="Made at the other Mainstay: Vaults, then “Invite a Mainstay”, or “./mainstay peer invite” there"
        placeholder="msp1.…"
        autosize
        minRows={3}
        maxRows={8}
        value={invitation}
        onChange={(event) => setInvitation(event.currentTarget.value)}
        error={
          invitation.trim() !== "" && ticket === undefined
            ? "This is not a whole invitation: it begins with msp1. and is one line"
            : undefined
        }
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "0.75rem" } }}
        required
      />
      {ticket !== undefined && (
        <p className="hint">It leads to {ticket.address}; its identity is pinned from now on.</p>
      )}
      <FormEnd
        submit="Add vault"
        pending={add.isPending}
        cause={add.error}
        onCancel={onClose}
        disabled={ticket === undefined || name.trim() === ""}
      />
    </form>
  );
}
