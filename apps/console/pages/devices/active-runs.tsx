/** What is at work on the device now, with rate and time left, and stopping it. */

import { Button } from "@mantine/core";
import type { DeviceOverview, Run } from "@mainstay/contract";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/use-may.ts";
import { Panel } from "../../components/panel.tsx";
import { ProblemLine } from "../../components/problem.tsx";
import { ProgressLine } from "../../components/progress-line.tsx";
import { RUN_KIND_WORDS } from "../../components/words.ts";
import { formatBytes, formatRate, percentOf } from "../../format/bytes.ts";
import { formatDuration } from "../../format/duration.ts";
import classes from "./active-runs.module.css";

export function ActiveRuns({ seen }: { readonly seen: DeviceOverview }) {
  if (seen.activeRuns.length === 0) return null;
  return (
    <Panel title="At work now">
      <ul className={classes.runs}>
        {seen.activeRuns.map((run) => (
          <ActiveRun key={run.id} run={run} />
        ))}
      </ul>
    </Panel>
  );
}

function ActiveRun({ run }: { readonly run: Run }) {
  const may = useMay();
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api.runs.cancel({ params: { runId: run.id } }),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void queries.invalidateQueries({ queryKey: ["overview"] });
    },
  });
  const { progress } = run;
  const name = RUN_KIND_WORDS[run.kind];
  return (
    <li className={classes.run}>
      <div className={classes.progress}>
        <ProgressLine
          label={
            progress === null
              ? `${name}, ${run.state === "queued" ? "waits for its turn" : "starting"}`
              : `${name}: ${progress.phase}`
          }
          percent={progress === null ? null : percentOf(progress.doneBytes, progress.totalBytes)}
          details={progress === null ? [] : detailsOf(progress)}
        />
        <ProblemLine cause={cancel.error} />
      </div>
      {may.change && (
        <Button
          size="xs"
          variant="default"
          onClick={() => cancel.mutate()}
          loading={cancel.isPending}
          aria-label={`Stop ${name.toLowerCase()}`}
        >
          Stop
        </Button>
      )}
    </li>
  );
}

function detailsOf(progress: NonNullable<Run["progress"]>): readonly string[] {
  return [
    `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}`,
    formatRate(progress.bytesPerSecond),
    progress.remainingMs === null
      ? "time left not known yet"
      : `${formatDuration(progress.remainingMs)} left`,
  ];
}
