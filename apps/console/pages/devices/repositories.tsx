/** Where the backups of a device lie and how large they are. */

import type { DeviceId, Repository } from "@mainstay/contract";
import { IconDatabase } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { repositoriesQuery, vaultsQuery } from "../../api/queries.ts";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { formatBytes } from "../../format/bytes.ts";

export function Repositories({ deviceId }: { readonly deviceId: DeviceId }) {
  const { data: repositories } = useSuspenseQuery(repositoriesQuery(deviceId));
  const { data: vaults } = useSuspenseQuery(vaultsQuery());
  const columns: readonly Column<Repository>[] = [
    {
      key: "vault",
      title: "Vault",
      cell: (one) => vaults.find((vault) => vault.id === one.vaultId)?.name ?? "Unknown vault",
    },
    { key: "points", title: "Restore points", cell: (one) => one.restorePoints, align: "right" },
    { key: "size", title: "Size", cell: (one) => formatBytes(one.sizeBytes), align: "right" },
  ];
  return (
    <Panel title="Repositories" padding="flush">
      <ListTable
        caption="Repositories of this device"
        rows={repositories.items}
        rowKey={(one) => one.id}
        columns={columns}
        empty={
          <Empty icon={IconDatabase} title="No repository yet">
            It is made when the first backup starts, in restic's format, with a password of its own.
          </Empty>
        }
      />
    </Panel>
  );
}
