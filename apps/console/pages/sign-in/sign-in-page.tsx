/** Signing in: e-mail and password, then the one-time code where the second factor is on. */

import { Button, PasswordInput, TextInput } from "@mantine/core";
import type { Session } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { api } from "../../api/client.ts";
import { sessionQuery } from "../../api/queries.ts";
import { ProblemLine } from "../../components/problem.tsx";
import { Entrance } from "../../layouts/entrance.tsx";

const route = getRouteApi("/sign-in");

type Credentials = { readonly email: string; readonly password: string };

export function SignInPage() {
  const [credentials, setCredentials] = useState<Credentials>();
  const enter = useEnter();
  if (credentials === undefined) return <PasswordStep onSession={enter} onCodeWanted={setCredentials} />;
  return <CodeStep credentials={credentials} onSession={enter} onBack={() => setCredentials(undefined)} />;
}

function useEnter(): (session: Session) => void {
  const queries = useQueryClient();
  const router = useRouter();
  const { next } = route.useSearch();
  return (session) => {
    queries.setQueryData(sessionQuery().queryKey, session);
    router.history.push(next ?? "/");
  };
}

type PasswordStepProps = {
  readonly onSession: (session: Session) => void;
  readonly onCodeWanted: (credentials: Credentials) => void;
};

function PasswordStep({ onSession, onCodeWanted }: PasswordStepProps) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.sessions.signIn({ body: { email, password } }),
    onSuccess: (answer) =>
      answer.state === "signed-in" ? onSession(answer.session) : onCodeWanted({ email, password }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <Entrance title="Sign in" description="To the console of your Mainstay installation.">
      <form onSubmit={submit} className="stack">
        <TextInput
          label="E-mail"
          type="email"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          autoComplete="username"
          autoFocus
          required
        />
        <PasswordInput
          label="Password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          autoComplete="current-password"
          required
        />
        <ProblemLine cause={signIn.error} />
        <Button type="submit" loading={signIn.isPending} mt={4}>
          Sign in
        </Button>
      </form>
    </Entrance>
  );
}

type CodeStepProps = {
  readonly credentials: Credentials;
  readonly onSession: (session: Session) => void;
  readonly onBack: () => void;
};

function CodeStep({ credentials, onSession, onBack }: CodeStepProps) {
  const [code, setCode] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.sessions.signIn({ body: { ...credentials, code } }),
    onSuccess: (answer) => {
      if (answer.state === "signed-in") onSession(answer.session);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <Entrance
      title="One-time code"
      description={`Six digits from the authenticator app of ${credentials.email}, or one of the recovery codes.`}
    >
      <form onSubmit={submit} className="stack">
        <TextInput
          label="Code"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          autoComplete="one-time-code"
          autoFocus
          required
        />
        <ProblemLine cause={signIn.error} />
        <Button type="submit" loading={signIn.isPending} disabled={code.trim().length < 6} mt={4}>
          Sign in
        </Button>
        <Button variant="subtle" color="gray" onClick={onBack}>
          Other account
        </Button>
      </form>
    </Entrance>
  );
}
