/** `mainstay vault prune`. */

import { formatBytes } from "@mainstay/kit";
import { executePrune, planPrune, type PrunePlan } from "@mainstay/vault";
import { defineCommand } from "../command.ts";
import { startProgress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "Frees what no restore point needs. Packs that hold nothing needed become trash, packs that hold\n" +
    "little are packed anew; the next run removes the trash, if nothing needs it by then. Every restore\n" +
    "point that is listed stays whole: drop restore points first, with vault forget.",
  options: { ...repositoryOptions, dryRun: { about: "say what would be done, and do nothing" } },
  json: "the plan's figures, and what was done",
  examples: ["vault prune --repo /srv/vault/sql1 --dry-run"],
  run: async ({ options, terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    const plan = await planPrune(repository, signal);
    describe(plan, terminal);
    const figures = figuresOf(plan);
    if (options.dryRun) {
      terminal.result({ plan: figures, dryRun: true });
      return;
    }
    using progress = startProgress(terminal);
    let isPacking = false;
    const result = await executePrune(repository, plan, {
      signal,
      onProgress: (doneBytes, totalBytes) => {
        if (!isPacking) progress.phase("Packing anew", totalBytes);
        isPacking = true;
        progress.reach(doneBytes);
      },
    });
    progress.end();
    terminal.print(
      `Freed ${formatBytes(result.freedBytes)}; the next run frees ${formatBytes(result.trashedBytes)}`,
    );
    terminal.result({ plan: figures, result, dryRun: false });
  },
});

function describe(plan: PrunePlan, terminal: Terminal): void {
  const rows = [
    [plan.sweep, "trash of an earlier run, to be removed"],
    [plan.unused, "holding nothing that is needed, to become trash"],
    [plan.repack, "to be packed anew"],
    [plan.stray, "in no index, to become trash"],
  ] as const;
  for (const [packs, text] of rows) {
    if (packs.length === 0) continue;
    const sizeBytes = packs.reduce((sum, pack) => sum + pack.sizeBytes, 0);
    const unusedBytes = packs.reduce((sum, pack) => sum + pack.unusedBytes, 0);
    const unused = packs === plan.repack ? `, ${formatBytes(unusedBytes)} of it not needed` : "";
    terminal.print(`  ${packs.length} packs (${formatBytes(sizeBytes)}${unused}) ${text}`);
  }
  if (plan.rescued.length > 0)
    terminal.print(`  ${plan.rescued.length} packs that restore points need, to be indexed again`);
  const { usedBytes, unusedBytesLeft } = plan;
  const left = unusedBytesLeft > 0 ? `; ${formatBytes(unusedBytesLeft)} not needed stays with it` : "";
  terminal.print(
    `${plan.snapshots.length} restore points need ${formatBytes(usedBytes)}${left}; ${formatBytes(plan.freedBytes)} can be freed now`,
  );
}

/** Packs by number: their names say nothing to a reader of figures. */
function figuresOf(plan: PrunePlan) {
  const { sweep, unused, repack, stray, rescued, snapshots } = plan;
  const { usedBytes, unusedBytesLeft, freedBytes, trashedBytes } = plan;
  return {
    restorePoints: snapshots.length,
    sweep: sweep.length,
    unused: unused.length,
    repack: repack.length,
    stray: stray.length,
    rescued: rescued.length,
    usedBytes,
    unusedBytesLeft,
    freedBytes,
    trashedBytes,
  };
}
