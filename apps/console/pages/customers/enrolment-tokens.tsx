/** The enrolment tokens of a customer, and taking one back. */

import { Button } from "@mantine/core";
import type { CustomerId, EnrolmentToken, Site } from "@mainstay/contract";
import {
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockOff,
  IconKey,
  type Icon,
} from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { enrolmentTokensQuery } from "../../api/queries.ts";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import type { Tone } from "../../components/tone.ts";
import { When } from "../../components/when.tsx";

const STATES: Readonly<
  Record<EnrolmentToken["state"], { readonly tone: Tone; readonly icon: Icon; readonly label: string }>
> = {
  usable: { tone: "active", icon: IconCircleDashed, label: "Usable" },
  spent: { tone: "none", icon: IconCircleCheck, label: "Spent" },
  expired: { tone: "none", icon: IconClockOff, label: "Expired" },
  revoked: { tone: "bad", icon: IconCircleX, label: "Revoked" },
};

type EnrolmentTokensProps = { readonly customerId: CustomerId; readonly sites: readonly Site[] };

export function EnrolmentTokens({ customerId, sites }: EnrolmentTokensProps) {
  const tokens = useQuery(enrolmentTokensQuery(customerId));
  return (
    <Panel title="Enrolment tokens" padding="flush">
      {tokens.isError && <ProblemLine cause={tokens.error} />}
      {tokens.isSuccess && (
        <ListTable
          caption="Enrolment tokens of this customer"
          rows={tokens.data}
          rowKey={(token) => token.id}
          columns={columnsFor(sites)}
          empty={
            <Empty icon={IconKey} title="No tokens yet">
              A token lets an agent enrol once, for one site, for a limited time.
            </Empty>
          }
        />
      )}
    </Panel>
  );
}

function columnsFor(sites: readonly Site[]): readonly Column<EnrolmentToken>[] {
  const siteOf = (token: EnrolmentToken) => sites.find((site) => site.id === token.siteId);
  return [
    { key: "site", title: "Site", cell: (token) => siteOf(token)?.name ?? "Another site" },
    {
      key: "state",
      title: "State",
      cell: (token) => (
        <Badge tone={STATES[token.state].tone} icon={STATES[token.state].icon}>
          {STATES[token.state].label}
        </Badge>
      ),
    },
    { key: "uses", title: "Used", cell: (token) => `${token.uses} of ${token.usesMax}` },
    {
      key: "expires",
      title: "Ends",
      cell: (token) => <When at={token.expiresAt} timeZone={siteOf(token)?.timeZone ?? "UTC"} />,
    },
    { key: "revoke", title: "", cell: (token) => <Revoke token={token} />, align: "right", phone: "bare" },
  ];
}

function Revoke({ token }: { readonly token: EnrolmentToken }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => api.enrolmentTokens.revoke({ params: { enrolmentTokenId: token.id } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["enrolment-tokens"] }),
  });
  if (token.state !== "usable") return null;
  return (
    <Button size="compact-xs" variant="default" onClick={() => revoke.mutate()} loading={revoke.isPending}>
      Revoke
    </Button>
  );
}
