/** What was asked of the recovered machine and what it answered, word for word. */

import type { ProbeResult, RestoreTest } from "@mainstay/contract";
import {
  IconCircleCheck,
  IconCircleX,
  IconHourglass,
  IconMessageQuestion,
  type Icon,
} from "@tabler/icons-react";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable, type Column } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import type { Tone } from "../../components/tone.ts";
import { formatDuration } from "../../format/duration.ts";

const STATES: Readonly<
  Record<ProbeResult["state"], { readonly tone: Tone; readonly icon: Icon; readonly label: string }>
> = {
  waiting: { tone: "none", icon: IconHourglass, label: "Waiting" },
  passed: { tone: "good", icon: IconCircleCheck, label: "Passed" },
  failed: { tone: "bad", icon: IconCircleX, label: "Failed" },
};

const COLUMNS: readonly Column<ProbeResult>[] = [
  {
    key: "name",
    title: "Probe",
    cell: (probe) => (
      <span className="two-lines">
        <span>{probe.name}</span>
        <span className="quiet">{probe.kind}</span>
      </span>
    ),
  },
  {
    key: "state",
    title: "State",
    cell: (probe) => (
      <Badge tone={STATES[probe.state].tone} icon={STATES[probe.state].icon}>
        {STATES[probe.state].label}
      </Badge>
    ),
  },
  {
    key: "answer",
    title: "Answer",
    cell: (probe) => (
      <span className="mono" style={{ overflowWrap: "anywhere" }}>
        {probe.answer ?? "–"}
      </span>
    ),
  },
  {
    key: "took",
    title: "Took",
    cell: (probe) => (probe.tookMs === null ? "–" : formatDuration(probe.tookMs)),
    align: "right",
  },
];

export function Probes({ test }: { readonly test: RestoreTest }) {
  return (
    <Panel title="Probes" padding="flush">
      <ListTable
        caption="Probes of this restore test"
        rows={test.probes}
        rowKey={(probe) => probe.name}
        columns={COLUMNS}
        empty={
          <Empty icon={IconMessageQuestion} title="No probe was asked">
            This test proves that the machine starts, not that its service works. Add probes on the device's
            page.
          </Empty>
        }
      />
    </Panel>
  );
}
