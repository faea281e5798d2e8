/**
 * `mainstay bench index [-- --blobs N --heap MIB]`: loading an index of very many blobs, in time and peak memory, beside restic on the
 * same repository. The index is made up and its packs do not exist; neither program looks for them. Caches are warm.
 *
 * Our heap is capped, so that a table of JavaScript objects would end the bench, not only spoil its figures.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { createDiskBackend, createRepository } from "@mainstay/vault";
import { writeIndexes } from "@mainstay/vault/testing";
import { madeUpPacks } from "./index/made-up-packs.ts";
import { machineFacts } from "./measure/machine-facts.ts";
import { runProgram, type ProgramRun } from "./measure/program-run.ts";
import { compare, comparisonRow, tableLines, writeResult, type Measure } from "./measure/report.ts";
import { makeWorkFolder } from "./measure/work-folder.ts";

const REPEATS = 3;
const PASSWORD = "bench";
const LOADER = join(import.meta.dirname, "index/load.ts");

const { values: options } = parseArgs({
  options: { blobs: { type: "string", default: "1000000" }, heap: { type: "string", default: "192" } },
});
const blobs = Number(options.blobs);

const machine = await machineFacts();
await using work = await makeWorkFolder();
const folder = join(work.path, "repository");
const environment = { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: join(work.path, "restic-cache") };
say(`making an index of ${blobs} blobs`);
{
  await using repository = await createRepository({ backend: createDiskBackend(folder), password: PASSWORD });
  await writeIndexes(repository, madeUpPacks(blobs));
}
const runs: { readonly ours: ProgramRun[]; readonly theirs: ProgramRun[] } = { ours: [], theirs: [] };
// Once for restic's own cache, which it would have in real use.
await loadTheirs();
for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
  say(`loading, ${repeat} of ${REPEATS}`);
  runs.theirs.push(await loadTheirs());
  runs.ours.push(await loadOurs());
}
await report();

async function loadOurs(): Promise<ProgramRun> {
  const words = [`--max-old-space-size=${options.heap}`, LOADER, folder, PASSWORD];
  const run = await runProgram({ command: process.execPath, words });
  if (Number(run.output) !== blobs)
    throw new Error(`Cannot accept the index: found ${run.output.trim()} blobs, wanted ${blobs}`);
  return run;
}

/** There are no snapshots to search: restic loads the index and is done. */
function loadTheirs(): Promise<ProgramRun> {
  const words = ["-q", "find", "nothing", "-r", folder];
  return runProgram({ command: "restic", words, environment });
}

async function report(): Promise<void> {
  const measures: readonly Measure[] = [
    measure("load the index", "seconds", (run) => run.seconds),
    measure("processor time", "seconds", (run) => run.processorSeconds),
    measure("peak memory", "bytes", (run) => run.peakBytes),
  ];
  const comparisons = measures.map(compare);
  const heading = [`${blobs} blobs (median)`, "Mainstay", "restic", "ratio"];
  for (const line of tableLines([heading, ...comparisons.map(comparisonRow)]))
    process.stdout.write(`${line}\n`);
  process.stdout.write(`Heap capped at ${options.heap} MiB; ${machine.restic}\n`);
  const result = { measuredAt: new Date().toISOString(), machine, blobs, heapMib: Number(options.heap) };
  say(`written to ${await writeResult("index", { ...result, comparisons, measures })}`);
}

function measure(name: string, unit: Measure["unit"], of: (run: ProgramRun) => number): Measure {
  return { name, unit, ours: runs.ours.map(of), theirs: runs.theirs.map(of) };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
