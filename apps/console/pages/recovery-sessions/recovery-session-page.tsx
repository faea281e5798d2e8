/** One recovered machine: its live screen, how it came up, how to reach it, and stopping it. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { recoverySessionScreenPath, type RecoverySession } from "@mainstay/contract";
import { IconPlayerStop, IconScreenShareOff } from "@tabler/icons-react";
import { useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { api } from "../../api/client.ts";
import { deviceOverviewQuery, recoverySessionQuery, vaultsQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Confirm } from "../../components/confirm.tsx";
import { CopyText } from "../../components/copy-text.tsx";
import { Empty } from "../../components/empty.tsx";
import { Facts } from "../../components/facts.tsx";
import { LiveScreen } from "../../components/live-screen.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { SessionBadge } from "../../components/state-badges.tsx";
import { Timeline } from "../../components/timeline.tsx";
import { When } from "../../components/when.tsx";
import { formatBytes } from "../../format/bytes.ts";
import classes from "./recovery-session-page.module.css";

const route = getRouteApi("/signed-in/recovery-sessions/$recoverySessionId");

/** While the machine comes up or runs, its counts move without an event. */
const READ_AGAIN_MS = 3_000;

export function RecoverySessionPage() {
  const { recoverySessionId } = route.useParams();
  const { data: session } = useSuspenseQuery({
    ...recoverySessionQuery(recoverySessionId),
    refetchInterval: (query) =>
      query.state.data !== undefined && isAlive(query.state.data) ? READ_AGAIN_MS : false,
  });
  const { data: seen } = useSuspenseQuery(deviceOverviewQuery(session.deviceId));
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const vault = vaults.find((one) => one.id === session.vaultId);
  const zone = seen.site.timeZone;
  return (
    <Page
      title={`Recovery of ${seen.device.name}`}
      crumbs={[
        { label: "Recovery sessions", to: "/recovery-sessions" },
        { label: seen.device.name, to: `/devices/${seen.device.id}` },
      ]}
      beside={<SessionBadge state={session.state} look="soft" />}
      description={
        <>
          {isAlive(session) ? "Runs" : "Ran"}{" "}
          {vault?.kind === "mainstay" ? `off-site at ${vault.name}` : "here"}, started{" "}
          <When at={session.startedAt} timeZone={zone} /> by {session.startedBy}
        </>
      }
      actions={<StopSession session={session} name={seen.device.name} />}
    >
      {session.error !== null && <Failed error={session.error} deviceId={session.deviceId} />}
      <div className={classes.layout}>
        <Screen session={session} name={seen.device.name} />
        <div className={classes.side}>
          <Panel title="How it came up" description="Seconds since it was asked for">
            <Timeline entries={session.timeline} />
          </Panel>
          {isAlive(session) && <Forwards session={session} />}
          <SessionFacts session={session} />
        </div>
      </div>
    </Page>
  );
}

function isAlive(session: RecoverySession): boolean {
  return session.state === "starting" || session.state === "running" || session.state === "stopping";
}

function Screen({ session, name }: { readonly session: RecoverySession; readonly name: string }) {
  const may = useMay();
  if (session.screen === "available") {
    return <LiveScreen path={recoverySessionScreenPath(session.id)} name={name} viewOnly={!may.change} />;
  }
  const over = !isAlive(session);
  return (
    <Panel title="Screen">
      <Empty icon={IconScreenShareOff} title={over ? "The machine does not run any more" : "No screen yet"}>
        {over
          ? "Run the restore point again to get a new, fresh machine."
          : "It appears as soon as the machine is started, usually within a second."}
      </Empty>
    </Panel>
  );
}

function Forwards({ session }: { readonly session: RecoverySession }) {
  return (
    <Panel title="Reach it">
      {session.forwards.length === 0 ? (
        <p className="prose">Isolated: no port is forwarded. Use the screen, or start it again with ports.</p>
      ) : (
        <ul className={classes.forwards}>
          {session.forwards.map((forward) => (
            <li key={forward.guestPort}>
              <span className="quiet">Port {forward.guestPort}</span>
              <CopyText text={forward.address} what={`the address of port ${forward.guestPort}`} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function SessionFacts({ session }: { readonly session: RecoverySession }) {
  return (
    <Panel title="Machine">
      <Facts
        facts={[
          {
            name: "Written so far",
            value: session.counts === null ? "Not measured" : formatBytes(session.counts.writtenBytes),
            note: "Kept aside; the restore point stays as it is",
          },
          {
            name: "Read from the repository",
            value: session.counts === null ? "Not measured" : formatBytes(session.counts.readBytes),
          },
          {
            name: "Acceleration",
            value:
              session.accelerator === null ? "Not known yet" : session.accelerator === "kvm" ? "KVM" : "TCG",
            ...(session.accelerator === "tcg"
              ? { note: "Emulated: this host has no KVM, so it is slow" }
              : {}),
          },
          { name: "Snapshot", value: <span className="mono">{session.restorePointId.slice(0, 12)}</span> },
        ]}
      />
    </Panel>
  );
}

function StopSession({ session, name }: { readonly session: RecoverySession; readonly name: string }) {
  const may = useMay();
  const queries = useQueryClient();
  const [asking, dialog] = useDisclosure(false);
  if (!may.change || (session.state !== "running" && session.state !== "starting")) return null;
  const stop = async () => {
    await api.recoverySessions.stop({ params: { recoverySessionId: session.id } });
    await queries.invalidateQueries({ queryKey: ["recovery-sessions"] });
  };
  const written = session.counts === null ? "" : ` (${formatBytes(session.counts.writtenBytes)} so far)`;
  return (
    <>
      <Button color="red" variant="light" leftSection={<IconPlayerStop size={16} />} onClick={dialog.open}>
        Power off
      </Button>
      <Confirm
        title={`Power off the recovered ${name}?`}
        action="Power off"
        danger
        run={stop}
        opened={asking}
        onClose={dialog.close}
      >
        <p className="prose">
          The machine stops at once and everything it wrote{written} is gone. The restore point it runs from
          stays as it is, and so does the original device. To keep its data, shut it down from inside and copy
          it out first.
        </p>
      </Confirm>
    </>
  );
}

type FailedProps = {
  readonly error: NonNullable<RecoverySession["error"]>;
  readonly deviceId: RecoverySession["deviceId"];
};

function Failed({ error, deviceId }: FailedProps) {
  return (
    <Panel title="It could not be recovered">
      <p className="prose">{error.message}</p>
      <p className="hint">
        <code>{error.code}</code> ·{" "}
        <Link to="/devices/$deviceId" params={{ deviceId }}>
          Choose another restore point, or another place to run it
        </Link>
      </p>
    </Panel>
  );
}
