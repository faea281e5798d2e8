/** One restore test: the photograph, how quickly it came up, what it answered, and the evidence of it. */

import type { RestoreTest } from "@mainstay/contract";
import { IconCamera, IconRosetteDiscountCheck } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { deviceOverviewQuery, restoreTestQuery, vaultsQuery } from "../../api/queries.ts";
import { ButtonLink } from "../../components/button-link.tsx";
import { Empty } from "../../components/empty.tsx";
import { Facts } from "../../components/facts.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { NotMeasured, TestBadge } from "../../components/state-badges.tsx";
import { Timeline } from "../../components/timeline.tsx";
import { When } from "../../components/when.tsx";
import { formatDuration } from "../../format/duration.ts";
import { Probes } from "./probes.tsx";
import classes from "./restore-test-page.module.css";

const route = getRouteApi("/signed-in/restore-tests/$restoreTestId");

/** The timeline grows while the test runs. */
const READ_AGAIN_MS = 2_000;

export function RestoreTestPage() {
  const { restoreTestId } = route.useParams();
  const { data: test } = useSuspenseQuery({
    ...restoreTestQuery(restoreTestId),
    refetchInterval: (query) =>
      query.state.data?.state === "queued" || query.state.data?.state === "running" ? READ_AGAIN_MS : false,
  });
  const { data: seen } = useSuspenseQuery(deviceOverviewQuery(test.deviceId));
  const zone = seen.site.timeZone;
  return (
    <Page
      title={`Restore test of ${seen.device.name}`}
      crumbs={[{ label: seen.device.name, to: `/devices/${seen.device.id}` }]}
      beside={<TestBadge state={test.state} look="soft" />}
      description={
        <>
          Asked for <When at={test.queuedAt} timeZone={zone} show="absolute" />
        </>
      }
      actions={
        test.evidenceSequence !== null && (
          <ButtonLink to="/evidence" variant="default" leftSection={<IconRosetteDiscountCheck size={16} />}>
            Evidence record {test.evidenceSequence}
          </ButtonLink>
        )
      }
    >
      <TestFacts test={test} zone={zone} />
      {test.error !== null && (
        <Panel title="Why it failed">
          <p className="prose">{test.error.message}</p>
          <p className="hint">
            <code>{test.error.code}</code>
          </p>
        </Panel>
      )}
      <div className="columns" data-share="1-1">
        <Photograph test={test} name={seen.device.name} />
        <div className="columns">
          <Panel title="How it came up" description="Each bar begins where the stage before it ended">
            <Timeline entries={test.timeline} expectsProbes />
          </Panel>
          <Probes test={test} />
        </div>
      </div>
    </Page>
  );
}

function TestFacts({ test, zone }: { readonly test: RestoreTest; readonly zone: string }) {
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const vault = vaults.find((one) => one.id === test.vaultId);
  return (
    <section className={classes.facts} aria-label="Result">
      <Facts
        facts={[
          {
            name: "RTO attained",
            value: test.rtoMs === null ? <NotMeasured /> : <strong>{formatDuration(test.rtoMs)}</strong>,
            note: "From asking to the last probe passed",
          },
          {
            name: "Tested in",
            value: vault?.name ?? "Unknown vault",
            note: vault?.kind === "mainstay" ? "Off-site, from the replica alone" : "Here",
          },
          { name: "Snapshot", value: <span className="mono">{test.restorePointId.slice(0, 12)}</span> },
          {
            name: "Started",
            value:
              test.startedAt === null ? (
                "Not yet"
              ) : (
                <When at={test.startedAt} timeZone={zone} show="absolute" />
              ),
          },
          {
            name: "Acceleration",
            value: test.accelerator === null ? "Not known yet" : test.accelerator.toUpperCase(),
          },
        ]}
      />
    </section>
  );
}

function Photograph({ test, name }: { readonly test: RestoreTest; readonly name: string }) {
  return (
    <Panel title="Photograph" description="The machine's screen when the probes had answered">
      {test.screenshot === null ? (
        <Empty icon={IconCamera} title="No photograph">
          {test.state === "queued" || test.state === "running"
            ? "It is taken when the machine is up."
            : "The test ended before one could be taken."}
        </Empty>
      ) : (
        <a href={test.screenshot} target="_blank" rel="noreferrer" className={classes.photograph}>
          <img src={test.screenshot} alt={`Screen of ${name} recovered in this test`} />
        </a>
      )}
      {test.evidenceSequence !== null && test.screenshot !== null && (
        <p className="hint">
          Its SHA-256 is part of <Link to="/evidence">evidence record {test.evidenceSequence}</Link>.
        </p>
      )}
    </Panel>
  );
}
