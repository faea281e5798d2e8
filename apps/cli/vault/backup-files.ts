/** `mainstay vault backup files`. */

import { backupFiles } from "@mainstay/capture";
import { findSnapshot } from "@mainstay/vault";
import { formatBytes, formatDuration } from "@mainstay/kit";
import { defineCommand } from "../command.ts";
import { startProgress } from "../terminal/progress.ts";
import { showBackupProgress } from "./backup-progress.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

/** More are counted, not listed: a whole unreadable folder must not fill the screen. */
const UNREADABLE_SHOWN_MAX = 20;

export const command = defineCommand({
  details:
    "Backs up files and folders as one restore point, cut and laid out as restic does it.\n" +
    "Files that have not changed since the parent are not read. Exit status 1 if some could not be read;\n" +
    "the restore point then holds all the others.",
  arguments: [{ name: "paths", about: "files and folders", many: "one or more" }],
  options: {
    ...repositoryOptions,
    parent: {
      value: "POINT",
      about: "the restore point to build on (default: the newest of these paths from this host)",
    },
    host: {
      value: "HOST",
      about: "under which host the restore point is filed (default: this machine's name)",
    },
    tag: { value: "TAG", about: "a tag of the restore point", repeat: true },
  },
  json: "the restore point and its figures",
  examples: ["vault backup files /etc /home --repo /srv/vault/sql1"],
  run: async ({ options, arguments: [paths], terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    using progress = startProgress(terminal);
    const parent =
      options.parent === undefined ? undefined : await findSnapshot(repository, options.parent, signal);
    const onProgress = showBackupProgress(progress);
    const { host: hostname, tag: tags } = options;
    const result = await backupFiles({ repository, paths, parent, hostname, tags, onProgress, signal });
    progress.end();
    const { snapshot, files, folders, readBytes, newBytes, storedBytes, durationMs, unreadable } = result;
    terminal.print(`Restore point ${snapshot.id.slice(0, 8)} made in ${formatDuration(durationMs)}`);
    terminal.print(`  ${files} files in ${folders} folders`);
    terminal.print(
      `  read ${formatBytes(readBytes)}, new ${formatBytes(newBytes)}, stored ${formatBytes(storedBytes)}`,
    );
    for (const { path, reason } of unreadable.slice(0, UNREADABLE_SHOWN_MAX))
      terminal.note(`Cannot read ${path}: ${reason}`);
    if (unreadable.length > 0)
      terminal.note(`${unreadable.length} entries could not be read and are not in the restore point`);
    terminal.result({ ...result, snapshot: snapshot.id, time: snapshot.time });
    return unreadable.length === 0 ? 0 : 1;
  },
});
