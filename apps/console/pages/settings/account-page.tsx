/** One's own account: password, second factor, open sessions. */

import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import type { User } from "@mainstay/contract";
import { IconShieldCheck, IconShieldOff } from "@tabler/icons-react";
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api } from "../../api/client.ts";
import { sessionQuery } from "../../api/queries.ts";
import { Badge } from "../../components/badge.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import { ROLE_WORDS } from "../../components/words.ts";
import { FormEnd } from "../../forms/form-end.tsx";
import { NewPassword } from "../../forms/password-fields.tsx";
import { TotpEnrol } from "../../forms/totp-enrol.tsx";
import { OpenSessions } from "./open-sessions.tsx";

export function AccountPage() {
  const { data: session } = useSuspenseQuery(sessionQuery());
  return (
    <Page
      title="Your account"
      description={`${session.user.email} · ${ROLE_WORDS[session.user.role]}`}
      width="reading"
    >
      <NamePanel user={session.user} />
      <SecondFactorPanel user={session.user} />
      <PasswordPanel user={session.user} />
      <OpenSessions />
    </Page>
  );
}

function NamePanel({ user }: { readonly user: User }) {
  const [name, setName] = useState(user.name);
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () => api.account.update({ body: { name } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["session"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Panel title="Name" description="Shown to your colleagues and in the audit">
      <form onSubmit={submit} className="stack">
        <TextInput
          aria-label="Name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maw={360}
          required
        />
        <ProblemLine cause={save.error} />
        <div>
          <Button
            type="submit"
            variant="default"
            loading={save.isPending}
            disabled={name.trim() === "" || name === user.name}
          >
            Save name
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function SecondFactorPanel({ user }: { readonly user: User }) {
  const [open, dialog] = useDisclosure(false);
  const queries = useQueryClient();
  const on = user.totp === "on";
  const done = () => {
    dialog.close();
    void queries.invalidateQueries({ queryKey: ["session"] });
  };
  return (
    <Panel
      title="Second factor"
      description="A six-digit code from an authenticator app, asked for after the password"
      actions={
        <Button variant={on ? "default" : "filled"} onClick={dialog.open}>
          {on ? "Turn off" : "Turn on"}
        </Button>
      }
    >
      <Badge tone={on ? "good" : "warn"} icon={on ? IconShieldCheck : IconShieldOff}>
        {on ? "On" : "Off: your password alone opens every customer's backups"}
      </Badge>
      <Dialog
        title={on ? "Turn the second factor off" : "Turn the second factor on"}
        opened={open}
        onClose={dialog.close}
      >
        {on ? <RemoveTotp onDone={done} onCancel={dialog.close} /> : <TotpEnrol onDone={done} />}
      </Dialog>
    </Panel>
  );
}

function RemoveTotp({ onDone, onCancel }: { readonly onDone: () => void; readonly onCancel: () => void }) {
  const [password, setPassword] = useState("");
  const remove = useMutation({
    mutationFn: () => api.account.removeTotp({ body: { password } }),
    onSuccess: onDone,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    remove.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <p className="prose">The recovery codes stop working too.</p>
      <PasswordInput
        label="Your password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        autoComplete="current-password"
        required
        data-autofocus
      />
      <FormEnd submit="Turn off" danger pending={remove.isPending} cause={remove.error} onCancel={onCancel} />
    </form>
  );
}

function PasswordPanel({ user }: { readonly user: User }) {
  const [currentPassword, setCurrent] = useState("");
  const [newPassword, setNew] = useState("");
  const queries = useQueryClient();
  const isSet = user.password === "set";
  const change = useMutation({
    mutationFn: () =>
      api.account.changePassword({ body: isSet ? { currentPassword, newPassword } : { newPassword } }),
    onSuccess: async () => {
      setCurrent("");
      setNew("");
      notifications.show({ message: "Password changed; all other sessions are ended" });
      await queries.invalidateQueries({ queryKey: ["session"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Panel
      title="Password"
      description={
        isSet
          ? "Changing it ends all your other sessions"
          : "You have none yet: set one to sign in without a link"
      }
    >
      <form onSubmit={submit} className="stack" style={{ maxWidth: 360 }}>
        {isSet && (
          <PasswordInput
            label="Current password"
            value={currentPassword}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            autoComplete="current-password"
            required
          />
        )}
        <NewPassword
          label="New password"
          value={newPassword}
          onChange={setNew}
          known={[user.email, user.name]}
        />
        <ProblemLine cause={change.error} />
        <div>
          <Button type="submit" variant="default" loading={change.isPending} disabled={newPassword === ""}>
            {isSet ? "Change password" : "Set password"}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
