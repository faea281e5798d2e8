/** `mainstay vault repair-index`. */

import { executeRepairIndex, planRepairIndex } from "@mainstay/vault";
import { defineCommand } from "../command.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details: "Makes the index anew from what the packs say of themselves. No data is changed or removed.",
  options: { ...repositoryOptions, dryRun: { about: "say what would be done, and do nothing" } },
  json: "the packs found and the index files replaced",
  examples: ["vault repair-index --repo /srv/vault/sql1 --dry-run"],
  run: async ({ options, terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    const plan = await planRepairIndex(repository, signal);
    for (const { reason } of plan.unreadable) terminal.note(`Cannot read ${reason}; fetch it from a replica`);
    if (!options.dryRun) await executeRepairIndex(repository, plan);
    const done = options.dryRun ? "Would index" : "Indexed";
    terminal.print(`${done} ${plan.packs.length} packs, replacing ${plan.replaces.length} index files`);
    terminal.result({
      packs: plan.packs.length,
      unreadable: plan.unreadable,
      replaces: plan.replaces,
      dryRun: options.dryRun,
    });
    return plan.unreadable.length === 0 ? 0 : 1;
  },
});
