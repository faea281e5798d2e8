/** Who may sign in, and what they may do. */

import { ActionIcon, Button, Menu } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { User } from "@mainstay/contract";
import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleOff,
  IconDotsVertical,
  IconPlus,
  IconShieldCheck,
  IconShieldOff,
  IconUsers,
} from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { usersQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Badge } from "../../components/badge.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { When } from "../../components/when.tsx";
import { ROLE_WORDS } from "../../components/words.ts";
import { UserChange, type UserChangeKind } from "../../forms/user-change.tsx";
import { UserCreate } from "../../forms/user-create.tsx";
import { viewerTimeZone } from "../../format/instant.ts";

type Changing = { readonly user: User; readonly kind: UserChangeKind };

export function UsersPage() {
  const { data: users } = useSuspenseQuery(usersQuery());
  const [adding, dialog] = useDisclosure(false);
  const [changing, setChanging] = useState<Changing>();
  const may = useMay();
  const columns = may.own ? [...COLUMNS, actionsColumn(setChanging)] : COLUMNS;
  return (
    <Page
      title="Users"
      description="An owner may do everything; a technician all but users and vaults; read-only may look."
      actions={
        may.own && (
          <Button leftSection={<IconPlus size={16} />} onClick={dialog.open}>
            Add user
          </Button>
        )
      }
    >
      <Panel title="All users" padding="flush">
        <ListTable
          caption="Users"
          rows={users}
          rowKey={(user) => user.id}
          columns={columns}
          initialSort={{ key: "name", direction: "ascending" }}
          empty={
            <Empty icon={IconUsers} title="No users">
              Add the people who work with this console.
            </Empty>
          }
        />
      </Panel>
      <Dialog title="Add user" opened={adding} onClose={dialog.close}>
        <UserCreate onClose={dialog.close} />
      </Dialog>
      {changing !== undefined && <UserChange {...changing} onClose={() => setChanging(undefined)} />}
    </Page>
  );
}

const COLUMNS: readonly Column<User>[] = [
  {
    key: "name",
    title: "User",
    cell: (user) => (
      <span className="two-lines">
        <span>{user.name}</span>
        <span className="quiet">{user.email}</span>
      </span>
    ),
    sortBy: (user) => user.name,
  },
  { key: "role", title: "Role", cell: (user) => ROLE_WORDS[user.role], sortBy: (user) => user.role },
  { key: "state", title: "State", cell: (user) => <UserState user={user} />, sortBy: (user) => user.state },
  {
    key: "totp",
    title: "Second factor",
    cell: (user) => <SecondFactor user={user} />,
    sortBy: (user) => user.totp,
  },
  {
    key: "seen",
    title: "Last sign-in",
    cell: (user) =>
      user.lastSignInAt === null ? (
        <span className="quiet">Never</span>
      ) : (
        <When at={user.lastSignInAt} timeZone={viewerTimeZone()} />
      ),
    sortBy: (user) => (user.lastSignInAt === null ? null : Date.parse(user.lastSignInAt)),
  },
];

function UserState({ user }: { readonly user: User }) {
  if (user.state === "off")
    return (
      <Badge tone="none" icon={IconCircleOff}>
        Off
      </Badge>
    );
  if (user.password === "unset")
    return (
      <Badge tone="none" icon={IconCircleDashed}>
        Has no password yet
      </Badge>
    );
  return (
    <Badge tone="good" icon={IconCircleCheck}>
      Active
    </Badge>
  );
}

function SecondFactor({ user }: { readonly user: User }) {
  return user.totp === "on" ? (
    <Badge tone="good" icon={IconShieldCheck}>
      On
    </Badge>
  ) : (
    <Badge tone="warn" icon={IconShieldOff}>
      Off
    </Badge>
  );
}

function actionsColumn(setChanging: (changing: Changing) => void): Column<User> {
  return {
    key: "actions",
    title: "",
    align: "right",
    phone: "bare",
    cell: (user) => (
      <Menu>
        <Menu.Target>
          <ActionIcon aria-label={`Actions for ${user.name}`}>
            <IconDotsVertical size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setChanging({ user, kind: "role" })}>Change role</Menu.Item>
          <Menu.Item onClick={() => setChanging({ user, kind: "link" })} disabled={user.state === "off"}>
            Make a sign-in link
          </Menu.Item>
          <Menu.Item onClick={() => setChanging({ user, kind: "totp" })} disabled={user.totp === "off"}>
            Turn the second factor off
          </Menu.Item>
          <Menu.Item color="red" onClick={() => setChanging({ user, kind: "state" })}>
            {user.state === "active" ? "Turn off" : "Turn on again"}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    ),
  };
}
