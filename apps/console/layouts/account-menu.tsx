/** Who is signed in, the way to the account page and out. */

import { Menu, UnstyledButton } from "@mantine/core";
import { IconLogout, IconUserCircle } from "@tabler/icons-react";
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../api/client.ts";
import { sessionQuery } from "../api/queries.ts";
import { ROLE_WORDS } from "../components/words.ts";
import { ACCOUNT_ITEM } from "./navigation.ts";
import classes from "./shell.module.css";

export function AccountMenu() {
  const { data: session } = useSuspenseQuery(sessionQuery());
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signOut = useMutation({
    mutationFn: () => api.sessions.signOut(),
    onSuccess: async () => {
      await navigate({ to: "/sign-in" });
      queries.clear();
    },
  });
  return (
    <Menu width={230}>
      <Menu.Target>
        <UnstyledButton className={classes.account} aria-label={`Account of ${session.user.name}`}>
          <IconUserCircle size={19} stroke={1.6} aria-hidden />
          <span className={classes.accountName}>{session.user.name}</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.user.email} · {ROLE_WORDS[session.user.role]}
        </Menu.Label>
        <Menu.Item
          leftSection={<IconUserCircle size={16} stroke={1.7} />}
          onClick={() => void navigate({ to: ACCOUNT_ITEM.to })}
        >
          {ACCOUNT_ITEM.label}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} stroke={1.7} />} onClick={() => signOut.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
