/** Where one can go, in the order of a technician's day; the sidebar and the command palette show the same list. */

import {
  IconBuildingBank,
  IconBuildings,
  IconCalendarRepeat,
  IconHistory,
  IconLayoutDashboard,
  IconPlayerPlay,
  IconRosetteDiscountCheck,
  IconUserCircle,
  IconUsers,
  type Icon,
} from "@tabler/icons-react";

export type NavigationItem = {
  readonly to: string;
  readonly label: string;
  readonly icon: Icon;
  /** Said in the command palette. */
  readonly description: string;
};

export type NavigationGroup = { readonly label: string; readonly items: readonly NavigationItem[] };

export const NAVIGATION: readonly NavigationGroup[] = [
  {
    label: "Protection",
    items: [
      {
        to: "/",
        label: "Overview",
        icon: IconLayoutDashboard,
        description: "Every device and whether it can be recovered",
      },
      {
        to: "/customers",
        label: "Customers",
        icon: IconBuildings,
        description: "Customers, their sites and devices",
      },
      {
        to: "/recovery-sessions",
        label: "Recovery sessions",
        icon: IconPlayerPlay,
        description: "Machines running from a restore point",
      },
      {
        to: "/evidence",
        label: "Evidence",
        icon: IconRosetteDiscountCheck,
        description: "The signed ledger of what was proven",
      },
    ],
  },
  {
    label: "Set-up",
    items: [
      {
        to: "/plans",
        label: "Protection plans",
        icon: IconCalendarRepeat,
        description: "RPO, retention, replication, restore tests",
      },
      {
        to: "/vaults",
        label: "Vaults",
        icon: IconBuildingBank,
        description: "Where backups lie, here and off-site",
      },
      {
        to: "/settings/users",
        label: "Users",
        icon: IconUsers,
        description: "Who may sign in and what they may do",
      },
      { to: "/audit", label: "Audit", icon: IconHistory, description: "Every change, by whom and when" },
    ],
  },
];

export const ACCOUNT_ITEM: NavigationItem = {
  to: "/settings/account",
  label: "Your account",
  icon: IconUserCircle,
  description: "Second factor, recovery codes and sessions",
};
