/** `mainstay vault restore`. */

import {
  executeRestore,
  executeTreeRestore,
  findNode,
  findSnapshot,
  listImages,
  loadIndex,
  openContent,
  planRestore,
  planTreeRestore,
  vaultErrors,
  type Repository,
  type Snapshot,
} from "@mainstay/vault";
import { formatBytes } from "@mainstay/kit";
import { parsePointName } from "@mainstay/recovery";
import { defineCommand } from "../command.ts";
import { startProgress, type Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "An image becomes a raw file again (zeros are left as holes) or is written to a block device;\n" +
    "a restore point of files becomes a folder. POINT is an id, its beginning, or latest; POINT:DISK chooses a\n" +
    "disk, POINT:/path/in/it a file or folder. What does not fit is said before anything is written.",
  arguments: [{ name: "point", about: "the restore point" }],
  options: {
    ...repositoryOptions,
    target: {
      value: "PATH",
      required: true,
      about: "the new file, the new or empty folder, or the block device",
    },
    dryRun: { about: "say what would be written, and write nothing" },
  },
  json: "what was restored",
  examples: [
    "vault restore latest --target disk.raw --repo R",
    "vault restore 1a2b3c4d:/etc --target /tmp/etc --repo R",
  ],
  run: async ({ options, arguments: [name], terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    using progress = startProgress(terminal);
    const { point, path } = parsePointName(name);
    await loadIndex(repository, signal);
    const snapshot = await findSnapshot(repository, point, signal);
    const work = {
      repository,
      snapshot,
      path,
      target: options.target,
      dryRun: options.dryRun,
      progress,
      terminal,
      signal,
    };
    // Awaited here: the repository is closed when this function ends.
    return await ((await isContent(repository, snapshot, path)) ? restoreContent(work) : restoreFolder(work));
  },
});

type Work = {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly path: string | undefined;
  readonly target: string;
  readonly dryRun: boolean;
  readonly progress: Progress;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
};

/** Whether the name stands for bytes (a disk or a file) and not for a folder. */
async function isContent(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
): Promise<boolean> {
  if (path === undefined) return (await listImages(repository, snapshot)).length > 0;
  if (!path.startsWith("/")) return true;
  return (await findNode(repository, snapshot, path)).type === "file";
}

async function restoreContent(work: Work): Promise<0> {
  const { repository, snapshot, path, target, terminal, progress, signal } = work;
  const plan = await planRestore(await openContent(repository, snapshot, path, signal), target);
  const what = `${formatBytes(plan.sizeBytes)}, ${formatBytes(plan.dataBytes)} of them data`;
  if (work.dryRun) terminal.print(`Would restore ${what}, to ${target}`);
  else {
    progress.phase("Restoring", plan.dataBytes);
    await executeRestore(repository, plan, (done) => progress.reach(done), signal);
    progress.end();
    terminal.print(`Restored ${what}, to ${target}`);
  }
  const { sizeBytes, dataBytes } = plan;
  terminal.result({ point: snapshot.id, target, sizeBytes, dataBytes, dryRun: work.dryRun });
  return 0;
}

async function restoreFolder(work: Work): Promise<0 | 1> {
  const { repository, snapshot, path, target, terminal, progress, signal } = work;
  const tree = path === undefined ? snapshot.tree : await folderAt(work, path);
  const plan = await planTreeRestore(repository, tree, target, signal);
  const what = `${plan.files} files, ${formatBytes(plan.dataBytes)}`;
  if (work.dryRun) {
    terminal.print(`Would restore ${what}, to ${target}`);
    terminal.result({
      point: snapshot.id,
      target,
      files: plan.files,
      dataBytes: plan.dataBytes,
      dryRun: true,
    });
    return 0;
  }
  progress.phase("Restoring", plan.dataBytes);
  const result = await executeTreeRestore(repository, plan, (done) => progress.reach(done), signal);
  progress.end();
  for (const { path: entry, reason } of result.notSet) terminal.note(`Cannot set all of ${entry}: ${reason}`);
  terminal.print(`Restored ${what}, to ${target}`);
  terminal.result({ point: snapshot.id, target, ...result });
  return result.notSet.length === 0 ? 0 : 1;
}

async function folderAt({ repository, snapshot, signal }: Work, path: string) {
  const { type, subtree } = await findNode(repository, snapshot, path, signal);
  if (subtree !== undefined) return subtree;
  throw vaultErrors.error(
    "no-such-path",
    `Cannot restore ${path} by itself: it is a ${type}, wanted a file, a folder or a disk; restore the folder that holds it`,
    { values: { point: snapshot.id, path } },
  );
}
