/** The first minute of an installation: its first owner, then the second factor. */

import { Button, TextInput } from "@mantine/core";
import { ButtonLink } from "../../components/button-link.tsx";
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { api } from "../../api/client.ts";
import { sessionQuery, setUpQuery } from "../../api/queries.ts";
import { ProblemLine } from "../../components/problem.tsx";
import { NewPassword } from "../../forms/password-fields.tsx";
import { TotpEnrol } from "../../forms/totp-enrol.tsx";
import { Entrance } from "../../layouts/entrance.tsx";
import { useHashToken } from "../sign-in/use-hash-token.ts";

type Step = "owner" | "second-factor";

export function SetUpPage() {
  const { data: setUp } = useSuspenseQuery(setUpQuery());
  const token = useHashToken();
  const [step, setStep] = useState<Step>("owner");
  if (step === "second-factor") return <SecondFactor />;
  if (setUp.state === "done") return <AlreadyDone />;
  if (token === null) return <NoToken />;
  return <FirstOwner token={token} onMade={() => setStep("second-factor")} />;
}

function FirstOwner({ token, onMade }: { readonly token: string; readonly onMade: () => void }) {
  const queries = useQueryClient();
  const [form, setForm] = useState({ providerName: "", name: "", email: "", password: "" });
  const set = (part: Partial<typeof form>) => setForm({ ...form, ...part });
  const complete = useMutation({
    mutationFn: () => api.setUp.complete({ body: { token, ...form } }),
    onSuccess: (session) => {
      queries.setQueryData(sessionQuery().queryKey, session);
      onMade();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    complete.mutate();
  };
  return (
    <Entrance
      title="Set up Mainstay"
      description="Make the first owner. Everyone else is added later, under Users."
    >
      <form onSubmit={submit} className="stack">
        <TextInput
          label="Your company"
          description="The provider whose name stands on evidence and reports"
          value={form.providerName}
          onChange={(event) => set({ providerName: event.currentTarget.value })}
          autoComplete="organization"
          required
        />
        <TextInput
          label="Your name"
          value={form.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
          autoComplete="name"
          required
        />
        <TextInput
          label="E-mail"
          type="email"
          value={form.email}
          onChange={(event) => set({ email: event.currentTarget.value })}
          autoComplete="username"
          required
        />
        <NewPassword
          label="Password"
          value={form.password}
          onChange={(password) => set({ password })}
          known={[form.email, form.name, form.providerName]}
        />
        <ProblemLine cause={complete.error} />
        <Button type="submit" loading={complete.isPending}>
          Continue
        </Button>
      </form>
    </Entrance>
  );
}

function SecondFactor() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const finish = async () => {
    await queries.invalidateQueries();
    await navigate({ to: "/" });
  };
  return (
    <Entrance
      title="Second factor"
      description="An owner's password alone would open every customer's backups."
    >
      <TotpEnrol onDone={() => void finish()} />
      <Button variant="subtle" color="gray" fullWidth mt="sm" onClick={() => void finish()}>
        Not now; turn it on later under Your account
      </Button>
    </Entrance>
  );
}

function AlreadyDone() {
  return (
    <Entrance title="Set up already" description="This installation has its first owner.">
      <ButtonLink to="/sign-in" fullWidth>
        Sign in
      </ButtonLink>
    </Entrance>
  );
}

function NoToken() {
  return (
    <Entrance
      title="Set up Mainstay"
      description="Open the one-time link that the server printed at its first start: it ends with # and a token. Without it nobody could tell the first owner from the first passer-by."
    >
      <p className="quiet" style={{ margin: 0, fontSize: "0.8125rem" }}>
        The link is printed again at each start of the server until set-up is done.
      </p>
    </Entrance>
  );
}
