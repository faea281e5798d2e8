/** `mainstay vault check`. */

import { checkRepository, type CheckProgress } from "@mainstay/vault";
import { formatBytes } from "@mainstay/kit";
import { defineCommand } from "../command.ts";
import { startProgress } from "../terminal/progress.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "Checks that everything is there that the restore points need. With --read-data it also reads every\n" +
    "pack and opens every blob. Exit status 1 if anything is damaged; what is only untidy is a hint.",
  options: { ...repositoryOptions, readData: { about: "read and open every byte" } },
  json: "the findings and the figures",
  examples: ["vault check --repo /srv/vault/sql1", "vault check --read-data --repo R"],
  run: async ({ options, terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    using progress = startProgress(terminal);
    let phase: CheckProgress["phase"] | undefined;
    const report = await checkRepository(repository, {
      readData: options.readData,
      signal,
      onProgress: (now) => {
        if (now.phase !== phase) progress.phase(`Checking ${now.phase}`, now.totalBytes || undefined);
        phase = now.phase;
        progress.reach(now.doneBytes);
      },
    });
    progress.end();
    for (const { severity, text } of report.findings) terminal.print(`${severity}: ${text}`);
    const { restorePoints, packs, blobs, readBytes, errors } = report;
    const read = readBytes > 0 ? `, ${formatBytes(readBytes)} read` : "";
    terminal.print(`${restorePoints} restore points, ${packs} packs, ${blobs} blobs${read}`);
    terminal.print(errors === 0 ? "No errors were found" : `${errors} errors were found`);
    terminal.result(report);
    return errors === 0 ? 0 : 1;
  },
});
