/** Other Mainstays that may keep their replicas in this one's vault. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Peer } from "@mainstay/contract";
import { IconAffiliate, IconCircleX, IconPlugConnected } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { peersQuery } from "../../api/queries.ts";
import { Badge } from "../../components/badge.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import { PeerInvite } from "../../forms/peer-invite.tsx";

export function Peers() {
  const peers = useQuery(peersQuery());
  const [inviting, dialog] = useDisclosure(false);
  return (
    <Panel
      title="Guests of this vault"
      description="Other Mainstays that keep their replicas here and may run machines from them."
      padding="flush"
      actions={
        <Button size="xs" variant="default" onClick={dialog.open}>
          Invite a Mainstay
        </Button>
      }
    >
      {peers.isError && <ProblemLine cause={peers.error} />}
      {peers.isSuccess && (
        <ListTable
          caption="Guests of this vault"
          rows={peers.data.items}
          rowKey={(peer) => peer.id}
          columns={COLUMNS}
          empty={
            <Empty icon={IconAffiliate} title="No guests">
              Make an invitation here and paste it at the other Mainstay under Vaults, if this one is to be
              its off-site.
            </Empty>
          }
        />
      )}
      <Dialog title="Invite a Mainstay" opened={inviting} onClose={dialog.close} size="lg">
        <PeerInvite onClose={dialog.close} />
      </Dialog>
    </Panel>
  );
}

const COLUMNS: readonly Column<Peer>[] = [
  { key: "name", title: "Mainstay", cell: (peer) => peer.name, sortBy: (peer) => peer.name },
  { key: "state", title: "State", cell: (peer) => <PeerState peer={peer} /> },
  { key: "revoke", title: "", cell: (peer) => <Revoke peer={peer} />, align: "right", phone: "bare" },
];

function PeerState({ peer }: { readonly peer: Peer }) {
  return peer.state === "revoked" ? (
    <Badge tone="bad" icon={IconCircleX}>
      Access taken away
    </Badge>
  ) : (
    <Badge tone="active" icon={IconPlugConnected}>
      May keep replicas here
    </Badge>
  );
}

function Revoke({ peer }: { readonly peer: Peer }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => api.peers.revoke({ params: { peerId: peer.id } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["peers"] }),
  });
  if (peer.state === "revoked") return null;
  return (
    <Button size="compact-xs" variant="default" onClick={() => revoke.mutate()} loading={revoke.isPending}>
      Take access away
    </Button>
  );
}
