/** `mainstay vault points`. */

import { listSnapshots, type Snapshot } from "@mainstay/vault";
import { defineCommand } from "../command.ts";
import { formatTable } from "../terminal/table.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details: "Lists the restore points of a repository, oldest first, also those that restic made.",
  options: repositoryOptions,
  json: "the restore points",
  examples: ["vault points --repo /srv/vault/sql1"],
  run: async ({ options, terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    const points = await listSnapshots(repository, signal);
    terminal.result(points);
    if (points.length === 0) terminal.print('No restore points yet; make one with "mainstay vault backup"');
    else for (const line of formatTable(COLUMNS, points)) terminal.print(line);
  },
});

const COLUMNS = [
  { heading: "POINT", value: (point: Snapshot) => point.id.slice(0, 8) },
  { heading: "TAKEN", value: (point: Snapshot) => formatTime(point.time) },
  { heading: "HOST", value: (point: Snapshot) => point.hostname },
  { heading: "WHAT", value: (point: Snapshot) => point.paths.join(" ") },
  { heading: "TAGS", value: (point: Snapshot) => point.tags.join(" ") },
] as const;

/** In this machine's zone, which is named. */
function formatTime(time: string): string {
  return new Date(time).toLocaleString("sv-SE", { timeZoneName: "short" });
}
