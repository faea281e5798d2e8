/** `mainstay vault forget`. */

import {
  forgetPoints,
  groupForForget,
  isEmptyForgetPolicy,
  listSnapshots,
  planForget,
  type ForgetPolicy,
} from "@mainstay/vault";
import { defineCommand } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

const COUNT = { value: "N", about: "" } as const;

export const command = defineCommand({
  details:
    "Drops restore points that no rule keeps, by the rules of restic's forget, for each host and disk or\n" +
    "set of paths apart. What they held is freed by vault prune.",
  options: {
    ...repositoryOptions,
    keepLast: { ...COUNT, about: "keep the newest N" },
    keepHourly: { ...COUNT, about: "keep the newest of each of the last N hours that have one" },
    keepDaily: { ...COUNT, about: "the same for days" },
    keepWeekly: { ...COUNT, about: "the same for weeks" },
    keepMonthly: { ...COUNT, about: "the same for months" },
    keepYearly: { ...COUNT, about: "the same for years" },
    dryRun: { about: "say what would be dropped, and do nothing" },
  },
  json: "the restore points kept, with the reasons, and those dropped",
  examples: ["vault forget --repo /srv/vault/sql1 --keep-last 3 --keep-daily 14 --dry-run"],
  run: async ({ options, terminal, signal }) => {
    const policy = policyOf(options);
    await using repository = await openRequested({ options, terminal, signal });
    const points = (await listSnapshots(repository, signal)).map((point) => ({
      ...point,
      time: new Date(point.time),
    }));
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    const plans = groupForForget(points, ["host", "paths"]).map((group) =>
      planForget(group, policy, { timeZone }),
    );
    const keep = plans.flatMap((plan) => plan.keep);
    const dropped = plans.flatMap((plan) => plan.forget);
    for (const { snapshot, reasons } of keep)
      terminal.print(`keep ${snapshot.id.slice(0, 8)}  ${reasons.join(", ")}`);
    for (const { id, time } of dropped) terminal.print(`drop ${id.slice(0, 8)}  of ${time.toISOString()}`);
    if (!options.dryRun && dropped.length > 0)
      await forgetPoints(
        repository,
        dropped.map(({ id }) => id),
      );
    terminal.print(
      `${options.dryRun ? "Would drop" : "Dropped"} ${dropped.length} of ${points.length} restore points`,
    );
    terminal.result({
      keep: keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, reasons })),
      dropped: dropped.map(({ id }) => id),
      dryRun: options.dryRun,
    });
  },
});

type Counts = Readonly<
  Record<
    "keepLast" | "keepHourly" | "keepDaily" | "keepWeekly" | "keepMonthly" | "keepYearly",
    string | undefined
  >
>;

function policyOf(options: Counts): ForgetPolicy {
  const policy = {
    last: countOf("keep-last", options.keepLast),
    hourly: countOf("keep-hourly", options.keepHourly),
    daily: countOf("keep-daily", options.keepDaily),
    weekly: countOf("keep-weekly", options.keepWeekly),
    monthly: countOf("keep-monthly", options.keepMonthly),
    yearly: countOf("keep-yearly", options.keepYearly),
  };
  if (!isEmptyForgetPolicy(policy)) return policy;
  throw cliErrors.error(
    "usage",
    "Cannot drop restore points: found no rule that keeps any, and all would go; give at least one, such as --keep-last 1",
  );
}

function countOf(name: string, text: string | undefined): number {
  if (text === undefined) return 0;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw cliErrors.error("usage", `Cannot keep "${text}" restore points: wanted --${name} with a number`);
}
