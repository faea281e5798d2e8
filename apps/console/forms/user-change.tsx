/** What an owner changes on a user: role, a new link, the second factor, on or off. */

import { Button } from "@mantine/core";
import type { Role, User } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../api/client.ts";
import { Confirm } from "../components/confirm.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ProblemLine } from "../components/problem.tsx";
import { FormEnd } from "./form-end.tsx";
import { SignInLinkText } from "./sign-in-link-text.tsx";
import { RoleSelect } from "./user-create.tsx";

export type UserChangeKind = "role" | "link" | "totp" | "state";

type UserChangeProps = { readonly user: User; readonly kind: UserChangeKind; readonly onClose: () => void };

export function UserChange({ user, kind, onClose }: UserChangeProps) {
  switch (kind) {
    case "role":
      return (
        <Dialog title={`Role of ${user.name}`} opened onClose={onClose}>
          <ChangeRole user={user} onClose={onClose} />
        </Dialog>
      );
    case "link":
      return (
        <Dialog title={`Sign-in link for ${user.name}`} opened onClose={onClose}>
          <MakeLink user={user} onClose={onClose} />
        </Dialog>
      );
    case "totp":
      return <RemoveTotp user={user} onClose={onClose} />;
    case "state":
      return <ChangeState user={user} onClose={onClose} />;
  }
}

type OneUserProps = { readonly user: User; readonly onClose: () => void };

function ChangeRole({ user, onClose }: OneUserProps) {
  const [role, setRole] = useState<Role>(user.role);
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: () => api.users.update({ params: { userId: user.id }, body: { role } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <RoleSelect value={role} onChange={setRole} />
      <FormEnd
        submit="Save"
        pending={change.isPending}
        cause={change.error}
        onCancel={onClose}
        disabled={role === user.role}
      />
    </form>
  );
}

function MakeLink({ user, onClose }: OneUserProps) {
  const make = useMutation({ mutationFn: () => api.users.makeSignInLink({ params: { userId: user.id } }) });
  if (make.data !== undefined) return <SignInLinkText name={user.name} link={make.data} onClose={onClose} />;
  return (
    <div className="stack">
      <p className="prose">The link signs {user.name} in once, without password and second factor.</p>
      <ProblemLine cause={make.error} />
      <div className="form-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button onClick={() => make.mutate()} loading={make.isPending}>
          Make the link
        </Button>
      </div>
    </div>
  );
}

function RemoveTotp({ user, onClose }: OneUserProps) {
  const queries = useQueryClient();
  const run = async () => {
    await api.users.removeTotp({ params: { userId: user.id } });
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <Confirm
      title={`Turn off the second factor of ${user.name}?`}
      action="Turn off"
      danger
      run={run}
      opened
      onClose={onClose}
    >
      <p className="prose">
        Until it is on again the password alone signs {user.name} in. Do this for a lost phone only, and only
        after you have made sure who asks.
      </p>
    </Confirm>
  );
}

function ChangeState({ user, onClose }: OneUserProps) {
  const queries = useQueryClient();
  const state = user.state === "active" ? "off" : "active";
  const run = async () => {
    await api.users.update({ params: { userId: user.id }, body: { state } });
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  const off = state === "off";
  return (
    <Confirm
      title={off ? `Turn ${user.name} off?` : `Turn ${user.name} on again?`}
      action={off ? "Turn off" : "Turn on"}
      danger={off}
      run={run}
      opened
      onClose={onClose}
    >
      <p className="prose">
        {off
          ? "All sessions of this user end, and nobody can sign in as them. The audit keeps what they did."
          : "The user can sign in again with the password they had."}
      </p>
    </Confirm>
  );
}
