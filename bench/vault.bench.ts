/**
 * `mainstay bench vault [-- --quick --cold --repeats N --only tree|image]`: our vault beside restic, in the same format, on the same data.
 *
 * Both are run as the programs a person would run. Caches are warm unless `--cold` (which needs root) empties them before
 * every step. Each restore is compared with its source, and restic must find nothing wrong with what we wrote.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MIB } from "@mainstay/kit";
import { machineFacts } from "./measure/machine-facts.ts";
import { runProgram } from "./measure/program-run.ts";
import { compare, comparisonRow, tableLines, writeResult, type Measure } from "./measure/report.ts";
import { makeWorkFolder } from "./measure/work-folder.ts";
import { mainstay, restic, resticProgram, type Environment } from "./vault/contestants.ts";
import { changeImage, fileSystemImage, sampleServerImage } from "./vault/image-source.ts";
import { measureRounds, type Rounds } from "./vault/rounds.ts";
import { assertSameTree, changeTree, collectTree } from "./vault/tree-source.ts";

const TREE_BYTES = 2300 * MIB;
const QUICK_TREE_BYTES = 150 * MIB;
const APPENDED_BYTES = 24 * MIB;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    cold: { type: "boolean", default: false },
    repeats: { type: "string" },
    only: { type: "string" },
  },
});
const repeats = Number(options.repeats ?? (options.quick ? 1 : 3));
const treeBytes = options.quick ? QUICK_TREE_BYTES : TREE_BYTES;

const machine = await machineFacts();
await using work = await makeWorkFolder();
const environment: Environment = {
  RESTIC_PASSWORD: "bench",
  RESTIC_CACHE_DIR: join(work.path, "restic-cache"),
};
const shared = {
  repeats,
  ours: mainstay(environment),
  theirs: restic(environment),
  workFolder: work.path,
  isCold: options.cold,
  assertSound: async (repository: string) => {
    await runProgram(resticProgram(environment, "check", "--read-data", "-r", repository));
  },
  say,
};

const tree = join(work.path, "tree");
if (options.only !== "image" || options.quick) {
  say("collecting files of /usr");
  await collectTree(tree, treeBytes);
}
const measures: Measure[] = [];
if (options.only !== "image") take(await measureRounds(treeRounds()));
if (options.only !== "tree") take(await measureRounds(await imageRounds()));
await report();

function treeRounds(): Rounds {
  return {
    ...shared,
    kind: "tree",
    source: tree,
    change: () => changeTree(tree),
    assertSame: (restored) => assertSameTree(tree, restored),
  };
}

async function imageRounds(): Promise<Rounds> {
  say("making the disk image");
  const folder = join(work.path, "image");
  await mkdir(folder);
  const path = options.quick
    ? await fileSystemImage(join(folder, "disk.raw"), tree, treeBytes)
    : await sampleServerImage(folder);
  return {
    ...shared,
    kind: "image",
    source: path,
    change: () => changeImage(path, options.quick ? 100 : 1000, APPENDED_BYTES),
    assertSame: async (restored) => {
      await runProgram({ command: "cmp", words: [path, restored] });
    },
  };
}

/** Shown at once: a run takes many minutes, and what is measured must not be lost with what follows. */
function take(taken: readonly Measure[]): void {
  measures.push(...taken);
  const heading = ["Measured (median)", "Mainstay", "restic", "ratio"];
  const rows = taken.map((measure) => comparisonRow(compare(measure)));
  process.stdout.write(`${tableLines([heading, ...rows]).join("\n")}\n`);
}

async function report(): Promise<void> {
  const comparisons = measures.map(compare);
  const caches = options.cold ? "cold" : "warm";
  process.stdout.write(
    `${repeats} of each, caches ${caches}; ${machine.cores} cores, ${machine.processor}; ${machine.restic}\n`,
  );
  // A quick run or a part is for looking at, not for keeping.
  if (options.quick || options.only !== undefined) return;
  const path = await writeResult("vault", {
    measuredAt: new Date().toISOString(),
    machine,
    caches,
    repeats,
    comparisons,
    measures,
  });
  say(`written to ${path}`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
