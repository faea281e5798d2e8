/** Adding a user; the link for the first sign-in is shown once. */

import { Select, TextInput } from "@mantine/core";
import { roles, type Role } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { ROLE_WORDS } from "../components/words.ts";
import { FormEnd } from "./form-end.tsx";
import { SignInLinkText } from "./sign-in-link-text.tsx";

export function UserCreate({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("technician");
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: () => api.users.create({ body: { name, email, role } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["users"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  if (create.data !== undefined)
    return <SignInLinkText name={create.data.user.name} link={create.data.link} onClose={onClose} />;
  return (
    <form onSubmit={submit} className="stack">
      <TextInput
        label="Name"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        required
        data-autofocus
      />
      <TextInput
        label="E-mail"
        type="email"
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        required
      />
      <RoleSelect value={role} onChange={setRole} />
      <FormEnd submit="Add user" pending={create.isPending} cause={create.error} onCancel={onClose} />
    </form>
  );
}

export function RoleSelect({
  value,
  onChange,
}: {
  readonly value: Role;
  readonly onChange: (role: Role) => void;
}) {
  return (
    <Select
      label="Role"
      data={roles.map((role) => ({ value: role, label: ROLE_WORDS[role] }))}
      value={value}
      onChange={(chosen) => onChange(roles.find((role) => role === chosen) ?? value)}
      allowDeselect={false}
    />
  );
}
