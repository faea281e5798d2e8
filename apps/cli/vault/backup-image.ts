/** `mainstay vault backup image`. */

import { basename, extname } from "node:path";
import { backupImage, diskKindOf } from "@mainstay/capture";
import { findSnapshot, loadIndex } from "@mainstay/vault";
import { formatBytes, formatDuration } from "@mainstay/kit";
import { defineCommand } from "../command.ts";
import { startProgress } from "../terminal/progress.ts";
import { showBackupProgress } from "./backup-progress.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "Backs up a raw disk image, a block device or a qcow2 file as one restore point. Holes are\n" +
    "skipped, zeros cost nothing, and chunks that the parent has are not stored again.\n" +
    "Interrupted with Ctrl-C it leaves no restore point; the next run does not send again what is stored.",
  arguments: [{ name: "path", about: "the disk" }],
  options: {
    ...repositoryOptions,
    name: { value: "NAME", about: "what the disk is called in the restore point (default: the file's name)" },
    parent: {
      value: "POINT",
      about: "the restore point to build on (default: the newest of this disk from this host)",
    },
    host: {
      value: "HOST",
      about: "under which host the restore point is filed (default: this machine's name)",
    },
    tag: { value: "TAG", about: "a tag of the restore point", repeat: true },
  },
  json: "the restore point and its figures",
  examples: [
    "vault backup image /dev/sda --repo /srv/vault/sql1",
    "vault backup image disk.raw --name sda --repo R",
  ],
  run: async ({ options, arguments: [path], terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    using progress = startProgress(terminal);
    if (options.parent !== undefined) await loadIndex(repository, signal);
    const parent =
      options.parent === undefined ? undefined : await findSnapshot(repository, options.parent, signal);
    const name = options.name ?? basename(path, extname(path));
    const result = await backupImage({
      repository,
      disks: [{ kind: await diskKindOf(path), name, path }],
      parent,
      hostname: options.host,
      tags: options.tag,
      onProgress: showBackupProgress(progress),
      signal,
    });
    progress.end();
    const { snapshot, readBytes, newBytes, storedBytes, durationMs } = result;
    terminal.print(
      `Restore point ${snapshot.id.slice(0, 8)} of ${name} made in ${formatDuration(durationMs)}`,
    );
    terminal.print(
      `  read ${formatBytes(readBytes)}, new ${formatBytes(newBytes)}, stored ${formatBytes(storedBytes)}`,
    );
    if (result.parent !== undefined) terminal.print(`  built on ${result.parent.slice(0, 8)}`);
    if (result.resumedPacks > 0)
      terminal.print(`  resumed: ${result.resumedPacks} packs were stored already`);
    terminal.result({ ...result, snapshot: snapshot.id, time: snapshot.time });
  },
});
