/** Opening a one-time sign-in link. It signs in on a press, not on arrival: mail scanners open links and would spend it. */

import { Button } from "@mantine/core";
import { ButtonLink } from "../../components/button-link.tsx";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../../api/client.ts";
import { sessionQuery } from "../../api/queries.ts";
import { ProblemLine } from "../../components/problem.tsx";
import { Entrance } from "../../layouts/entrance.tsx";
import { useHashToken } from "./use-hash-token.ts";

export function SignInLinkPage() {
  const token = useHashToken();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const open = useMutation({
    mutationFn: (spent: string) => api.sessions.signInByLink({ body: { token: spent } }),
    onSuccess: async (session) => {
      queries.setQueryData(sessionQuery().queryKey, session);
      await navigate({ to: session.user.password === "unset" ? "/settings/account" : "/" });
    },
  });
  const title = "Sign in with a link";
  if (token === null) {
    return (
      <Entrance
        title={title}
        description="This address lacks its token, which follows the #. Open the whole link, or ask an owner for a new one."
      >
        <ToPassword />
      </Entrance>
    );
  }
  return (
    <Entrance title={title} description="The link works once. It signs you in on this browser.">
      <div className="stack">
        <ProblemLine cause={open.error} />
        <Button onClick={() => open.mutate(token)} loading={open.isPending} autoFocus fullWidth>
          Sign in
        </Button>
        {open.isError && <ToPassword />}
      </div>
    </Entrance>
  );
}

function ToPassword() {
  return (
    <ButtonLink to="/sign-in" variant="default" fullWidth>
      Sign in with password
    </ButtonLink>
  );
}
