/** Where backups lie: here and off-site, how full, and who may keep replicas here. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Vault } from "@mainstay/contract";
import { IconBuildingBank, IconBuildingBroadcastTower, IconHome, IconPlus } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { vaultsQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Meter } from "../../components/meter.tsx";
import { Page } from "../../components/page.tsx";
import { Panel } from "../../components/panel.tsx";
import { NotMeasured, VaultBadge } from "../../components/state-badges.tsx";
import { When } from "../../components/when.tsx";
import { VaultAdd } from "../../forms/vault-add.tsx";
import { viewerTimeZone } from "../../format/instant.ts";
import { Peers } from "./peers.tsx";

export function VaultsPage() {
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const [adding, dialog] = useDisclosure(false);
  const may = useMay();
  return (
    <Page
      title="Vaults"
      description="A fire takes what is kept in one place only. Add another Mainstay off-site; it receives changed blocks, and can run the machines itself."
      actions={
        may.own && (
          <Button leftSection={<IconPlus size={16} />} onClick={dialog.open}>
            Add off-site vault
          </Button>
        )
      }
    >
      <Panel title="All vaults" padding="flush">
        <ListTable
          caption="Vaults"
          rows={vaults}
          rowKey={(vault) => vault.id}
          columns={COLUMNS}
          empty={
            <Empty icon={IconBuildingBank} title="No vaults">
              This server makes its own vault when it starts.
            </Empty>
          }
        />
      </Panel>
      {may.own && <Peers />}
      <Dialog title="Add off-site vault" opened={adding} onClose={dialog.close} size="lg">
        <VaultAdd onClose={dialog.close} />
      </Dialog>
    </Page>
  );
}

const COLUMNS: readonly Column<Vault>[] = [
  {
    key: "name",
    title: "Vault",
    cell: (vault) => <VaultName vault={vault} />,
    sortBy: (vault) => vault.name,
  },
  {
    key: "state",
    title: "State",
    cell: (vault) => (
      <span className="two-lines">
        <VaultBadge state={vault.state} />
        {vault.stateDetail !== null && <span className="quiet">{vault.stateDetail}</span>}
      </span>
    ),
    sortBy: (vault) => vault.state,
  },
  {
    key: "space",
    title: "Space",
    cell: (vault) =>
      vault.usedBytes === null ? (
        <NotMeasured />
      ) : (
        <Meter usedBytes={vault.usedBytes} freeBytes={vault.freeBytes} />
      ),
    sortBy: (vault) => vault.usedBytes,
    width: "22rem",
  },
  {
    key: "repositories",
    title: "Repositories",
    cell: (vault) => vault.repositories,
    sortBy: (vault) => vault.repositories,
    align: "right",
  },
  {
    key: "measured",
    title: "Measured",
    cell: (vault) =>
      vault.measuredAt === null ? (
        <span className="quiet">Never</span>
      ) : (
        <When at={vault.measuredAt} timeZone={viewerTimeZone()} />
      ),
    align: "right",
    phone: "hide",
  },
];

function VaultName({ vault }: { readonly vault: Vault }) {
  const Glyph = vault.kind === "local" ? IconHome : IconBuildingBroadcastTower;
  return (
    <span style={{ display: "flex", gap: "0.5rem" }}>
      <Glyph
        size={17}
        stroke={1.6}
        color="var(--text-3)"
        aria-hidden
        style={{ flex: "none", marginTop: 1 }}
      />
      <span className="two-lines">
        <span>{vault.name}</span>
        <span className="quiet">
          {vault.kind === "local" ? "Here" : `Off-site, ${vault.address ?? "no address"}`}
        </span>
      </span>
    </span>
  );
}
