/** Every device of every customer and whether it can be recovered: what a technician looks at first. */

import { Button, TextInput } from "@mantine/core";
import { ButtonLink } from "../components/button-link.tsx";
import { useHotkeys } from "@mantine/hooks";
import type { DeviceOverview, Overview, Verdict } from "@mainstay/contract";
import { verdicts } from "@mainstay/contract";
import { IconBuildings, IconFilterOff, IconSearch } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { overviewQuery } from "../api/queries.ts";
import { DEVICE_COLUMNS } from "../components/device-columns.tsx";
import { Empty } from "../components/empty.tsx";
import { ListTable } from "../components/list-table.tsx";
import { Page } from "../components/page.tsx";
import { VERDICTS } from "../components/state-badges.tsx";
import { formatBytes, formatCount } from "../format/bytes.ts";
import classes from "./overview-page.module.css";

const route = getRouteApi("/signed-in/");

export function OverviewPage() {
  const { data: overview } = useSuspenseQuery(overviewQuery());
  const rows = useRows(overview);
  const { show } = route.useSearch();
  if (overview.customers.every((entry) => entry.devices.length === 0))
    return <NothingYet customers={overview.customers.length} />;
  return (
    <Page title="Overview" description={summaryOf(overview)}>
      <VerdictFigures counts={overview.devices} chosen={show} />
      <section className={classes.list} aria-label="Devices">
        <SearchLine found={rows.length} />
        <ListTable
          caption="Devices by customer with their protection"
          rows={rows}
          rowKey={(row) => row.device.id}
          columns={DEVICE_COLUMNS}
          initialSort={{ key: "verdict", direction: "ascending" }}
          groupOf={(row) => groupOf(overview, row)}
          empty={<NothingFound />}
        />
      </section>
    </Page>
  );
}

function useRows(overview: Overview): readonly DeviceOverview[] {
  const { q = "", show } = route.useSearch();
  return useMemo(() => {
    const wanted = q.trim().toLowerCase();
    return overview.customers.flatMap((entry) =>
      entry.devices.filter((row) => {
        const text = `${entry.customer.name} ${row.site.name} ${row.device.name} ${row.device.facts.operatingSystem ?? ""}`;
        return text.toLowerCase().includes(wanted) && (show === undefined || row.protection.verdict === show);
      }),
    );
  }, [overview, q, show]);
}

function groupOf(overview: Overview, row: DeviceOverview) {
  const entry = overview.customers.find(({ customer }) => customer.id === row.device.customerId);
  return {
    key: row.device.customerId,
    heading: (
      <span className={classes.group}>
        <Link to="/customers/$customerId" params={{ customerId: row.device.customerId }}>
          {entry?.customer.name ?? "Customer"}
        </Link>
        <span className="quiet">{formatCount(entry?.devices.length ?? 0, "device")}</span>
      </span>
    ),
  };
}

/** The counts are the filter: press one to see only those devices, press it again to see all. */
function VerdictFigures({
  counts,
  chosen,
}: {
  readonly counts: Overview["devices"];
  readonly chosen: string | undefined;
}) {
  const total = verdicts.reduce((sum, verdict) => sum + counts[verdict], 0);
  return (
    <div className={classes.figures}>
      <div className={classes.figureRow} role="group" aria-label="Show only">
        {verdicts.map((verdict) => (
          <VerdictFigure
            key={verdict}
            verdict={verdict}
            count={counts[verdict]}
            chosen={chosen === verdict}
          />
        ))}
      </div>
      <div className={classes.shares} aria-hidden>
        {verdicts.map((verdict) => (
          <span
            key={verdict}
            data-tone={VERDICTS[verdict].tone}
            style={{ flexGrow: counts[verdict] / Math.max(1, total) }}
          />
        ))}
      </div>
    </div>
  );
}

type VerdictFigureProps = { readonly verdict: Verdict; readonly count: number; readonly chosen: boolean };

function VerdictFigure({ verdict, count, chosen }: VerdictFigureProps) {
  const navigate = route.useNavigate();
  const { icon: Glyph, label, tone } = VERDICTS[verdict];
  const toggle = () =>
    void navigate({ search: (before) => ({ ...before, show: chosen ? undefined : verdict }), replace: true });
  return (
    <button type="button" className={classes.figure} data-tone={tone} aria-pressed={chosen} onClick={toggle}>
      <span className={classes.count}>{count.toLocaleString("en-GB")}</span>
      <span className={classes.label}>
        <Glyph size={16} stroke={1.8} aria-hidden /> {label}
      </span>
    </button>
  );
}

function SearchLine({ found }: { readonly found: number }) {
  const navigate = route.useNavigate();
  const { q = "", show } = route.useSearch();
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => input.current?.focus()]]);
  const setText = (text: string) =>
    void navigate({ search: (before) => ({ ...before, q: text === "" ? undefined : text }), replace: true });
  return (
    <div className={classes.searchLine}>
      <TextInput
        ref={input}
        className={classes.search}
        size="xs"
        aria-label="Filter devices"
        aria-keyshortcuts="/"
        placeholder="Filter by customer, site, device or system"
        leftSection={<IconSearch size={15} />}
        rightSection={<kbd className={classes.key}>/</kbd>}
        value={q}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <span className={classes.found} role="status">
        {formatCount(found, "device")}
      </span>
      {(q !== "" || show !== undefined) && (
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconFilterOff size={14} />}
          onClick={() => void navigate({ search: {}, replace: true })}
        >
          Show all
        </Button>
      )}
    </div>
  );
}

function NothingFound() {
  return (
    <Empty
      icon={IconSearch}
      title="No device matches"
      action={
        <ButtonLink to="/" variant="default" size="xs">
          Show all devices
        </ButtonLink>
      }
    >
      Change the filter text, or press the chosen figure above again.
    </Empty>
  );
}

function NothingYet({ customers }: { readonly customers: number }) {
  const text =
    customers === 0
      ? "Add a customer and its site first. Then make an enrolment token and run the agent on the machine to protect."
      : "Open the customer, make an enrolment token for its site, and run the agent on the machine to protect.";
  return (
    <Page title="Overview">
      <section className={classes.list}>
        <Empty
          icon={IconBuildings}
          title="No devices yet"
          action={
            <ButtonLink to="/customers">
              {customers === 0 ? "Add the first customer" : "To the customers"}
            </ButtonLink>
          }
        >
          {text}
        </Empty>
      </section>
    </Page>
  );
}

function summaryOf(overview: Overview): string {
  const devices = overview.customers.flatMap((entry) => entry.devices);
  const storedBytes = devices.reduce((sum, row) => sum + (row.storedBytes ?? 0), 0);
  const running = devices.flatMap((row) => row.activeRuns).length;
  return [
    formatCount(devices.length, "device"),
    formatCount(overview.customers.length, "customer"),
    `${formatBytes(storedBytes)} stored`,
    `${formatCount(running, "run")} at work`,
  ].join(" · ");
}
