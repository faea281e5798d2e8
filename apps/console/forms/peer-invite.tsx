/** Inviting another Mainstay: its text is shown once. */

import { Alert, Button, TextInput } from "@mantine/core";
import { IconEyeOff } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { CopyText } from "../components/copy-text.tsx";
import { FormEnd } from "./form-end.tsx";

export function PeerInvite({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState("");
  const queries = useQueryClient();
  const invite = useMutation({
    mutationFn: () => api.peers.invite({ body: { name } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["peers"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    invite.mutate();
  };
  if (invite.data !== undefined) {
    return (
      <div className="stack">
        <Alert icon={<IconEyeOff size={18} />} color="yellow" variant="light" title="Shown only now">
          Paste it at the other Mainstay: Vaults, then “Add off-site vault”.
        </Alert>
        <CopyText text={invite.data.text} what="the invitation" />
        <div className="form-end">
          <Button onClick={onClose}>Close</Button>
        </div>
      </div>
    );
  }
  return (
    <form onSubmit={submit} className="stack">
      <TextInput
        label="Name of the other Mainstay"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        required
        data-autofocus
      />
      <FormEnd
        submit="Make invitation"
        pending={invite.isPending}
        cause={invite.error}
        onCancel={onClose}
        disabled={name.trim() === ""}
      />
    </form>
  );
}
