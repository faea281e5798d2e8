/** The restore points of a device on a time axis and as a table, and running or testing one of them. */

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Device, RestorePoint } from "@mainstay/contract";
import { IconDatabase } from "@tabler/icons-react";
import { useSuspenseInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { restorePointsQuery } from "../../api/queries.ts";
import { useMay } from "../../api/use-may.ts";
import { Dialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { ListTable } from "../../components/list-table.tsx";
import { Panel } from "../../components/panel.tsx";
import { RestorePointPlot, type PlottedPoint } from "../../components/restore-point-plot.tsx";
import { RunRestorePoint } from "../../forms/run-restore-point.tsx";
import { restorePointColumns } from "./restore-point-columns.tsx";
import classes from "./restore-points.module.css";

/** More would push the rest of the page out of reach; the others are one press away. */
const SHOWN_FIRST = 8;

export function RestorePoints({ device, timeZone }: { readonly device: Device; readonly timeZone: string }) {
  const query = useSuspenseInfiniteQuery(restorePointsQuery(device.id));
  const points = query.data.pages.flatMap((page) => page.items);
  const [all, showAll] = useDisclosure(false);
  const [running, setRunning] = useState<RestorePoint>();
  const may = useMay();
  const columns = useMemo(
    () => restorePointColumns({ timeZone, mayChange: may.change, onRun: setRunning }),
    [timeZone, may.change],
  );
  return (
    <Panel
      title="Restore points"
      description="Each can be run as a machine, here or off-site, while it stays unchanged."
      padding="flush"
    >
      {points.length > 1 && (
        <div className={classes.plot}>
          <RestorePointPlot points={points.map(plotted)} timeZone={timeZone} />
        </div>
      )}
      <ListTable
        caption="Restore points, newest first"
        rows={all ? points : points.slice(0, SHOWN_FIRST)}
        rowKey={(point) => point.id}
        columns={columns}
        empty={
          <Empty icon={IconDatabase} title="No restore points yet">
            Assign a protection plan and say what to capture; the first backup then runs by itself. “Back up
            now” does not wait for it.
          </Empty>
        }
      />
      {(points.length > SHOWN_FIRST || query.hasNextPage) && (
        <div className={classes.more}>
          {!all && (
            <Button size="xs" variant="subtle" onClick={showAll.open}>
              Show all {points.length}
              {query.hasNextPage ? " and older" : ""}
            </Button>
          )}
          {all && query.hasNextPage && (
            <ShowOlder onPress={() => void query.fetchNextPage()} loading={query.isFetchingNextPage} />
          )}
        </div>
      )}
      <Dialog
        title={`Run ${device.name} from a restore point`}
        opened={running !== undefined}
        onClose={() => setRunning(undefined)}
        size="lg"
      >
        {running !== undefined && (
          <RunRestorePoint
            point={running}
            device={device}
            timeZone={timeZone}
            onClose={() => setRunning(undefined)}
          />
        )}
      </Dialog>
    </Panel>
  );
}

function ShowOlder(props: { readonly onPress: () => void; readonly loading: boolean }) {
  return (
    <Button size="xs" variant="subtle" onClick={props.onPress} loading={props.loading}>
      Show older
    </Button>
  );
}

function plotted(point: RestorePoint): PlottedPoint {
  const state = point.state === "damaged" ? "damaged" : point.proven === null ? "usable" : "proven";
  return { id: point.id, takenAt: point.takenAt, addedBytes: point.addedBytes ?? 0, state };
}
