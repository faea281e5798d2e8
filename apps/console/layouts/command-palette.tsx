/** Ctrl-K: every page, customer and device by a few letters of its name. */

import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconBuildings, IconSearch, IconServer } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Overview } from "@mainstay/contract";
import { overviewQuery } from "../api/queries.ts";
import { VERDICTS } from "../components/state-badges.tsx";
import { ACCOUNT_ITEM, NAVIGATION, type NavigationItem } from "./navigation.ts";

/** Shown at once; typing narrows it. */
const FOUND_MAX = 12;

type Go = (to: string) => void;

export function CommandPalette() {
  const navigate = useNavigate();
  const { data: overview } = useQuery(overviewQuery());
  const go: Go = (to) => void navigate({ to });
  const pages = [...NAVIGATION.flatMap((group) => group.items), ACCOUNT_ITEM];
  const groups: SpotlightActionGroupData[] = [
    { group: "Pages", actions: pages.map((item) => pageAction(item, go)) },
    ...(overview === undefined ? [] : recordGroups(overview, go)),
  ];
  return (
    <Spotlight
      actions={groups}
      shortcut={["mod + K"]}
      highlightQuery
      scrollable
      maxHeight="min(60vh, 32rem)"
      limit={FOUND_MAX}
      nothingFound="Nothing has that in its name"
      searchProps={{
        leftSection: <IconSearch size={18} stroke={1.7} />,
        placeholder: "Find a page, customer or device",
        "aria-label": "Find a page, customer or device",
      }}
    />
  );
}

function pageAction(item: NavigationItem, go: Go): SpotlightActionData {
  return {
    id: item.to,
    label: item.label,
    description: item.description,
    leftSection: <item.icon size={19} stroke={1.6} aria-hidden />,
    onClick: () => go(item.to),
  };
}

function recordGroups(overview: Overview, go: Go): readonly SpotlightActionGroupData[] {
  const customers = overview.customers.map(({ customer }) => ({
    id: customer.id,
    label: customer.name,
    leftSection: <IconBuildings size={19} stroke={1.6} aria-hidden />,
    onClick: () => go(`/customers/${customer.id}`),
  }));
  const devices = overview.customers.flatMap(({ customer, devices: rows }) =>
    rows.map(({ device, protection }) => ({
      id: device.id,
      label: device.name,
      description: `${customer.name} · ${VERDICTS[protection.verdict].label}`,
      leftSection: <IconServer size={19} stroke={1.6} aria-hidden />,
      onClick: () => go(`/devices/${device.id}`),
    })),
  );
  return [
    { group: "Devices", actions: devices },
    { group: "Customers", actions: customers },
  ];
}
