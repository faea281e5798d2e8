/**
 * `mainstay bench recover [-- --quick --warm --repeats N --only serve|boot]`: from the command to a served disk for virtual
 * disks of 7, 70 and 700 GiB; and from the command to the first SQL answers, beside the same machine on the raw disk.
 *
 * The page cache is emptied before every measurement (which needs root) unless `--warm`. The two sides take turns. The
 * first recovery of a repository has no boot trace to read ahead by, the later ones have: they are told apart.
 */

import { copyFile, mkdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GIB } from "@mainstay/kit";
import { detectAccelerator } from "@mainstay/qemu";
import { machineFacts } from "./measure/machine-facts.ts";
import { runProgram } from "./measure/program-run.ts";
import { median, tableLines, writeResult } from "./measure/report.ts";
import { makeWorkFolder } from "./measure/work-folder.ts";
import { bootDirectly, copyDisk, type DirectSeconds } from "./recover/direct-boot.ts";
import { recover, type StageSeconds } from "./recover/recover-command.ts";
import {
  BOOTED_GIB,
  makeSampleRepositories,
  SIZES_GIB,
  type SampleRepository,
} from "./recover/sample-repositories.ts";

const SERVED_SECONDS_MAX = 1;
const SERVED_SPREAD_MAX = 0.2;
const ANSWER_RATIO_MAX = 1.15;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    warm: { type: "boolean", default: false },
    repeats: { type: "string" },
    only: { type: "string" },
  },
});
const repeats = Number(options.repeats ?? (options.quick ? 3 : 5));
const isCold = !options.warm && process.getuid?.() === 0;
if (!isCold && !options.warm) say("The page cache stays warm: only root may empty it");

const machine = await machineFacts();
const accelerator = await detectAccelerator();
await using work = await makeWorkFolder();
const caches = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
// Boot traces of this run alone; what kind of accelerator there is need not be found out again.
const ownCaches = join(work.path, "cache");
await mkdir(join(ownCaches, "mainstay"), { recursive: true });
const known = join("mainstay", "accelerator.json");
await copyFile(join(caches, known), join(ownCaches, known)).catch(() => undefined);
const environment = { RESTIC_PASSWORD: "bench", XDG_CACHE_HOME: ownCaches };

const samples = await makeSampleRepositories({
  isQuick: options.quick,
  sizesGib: options.only === "boot" ? [BOOTED_GIB] : SIZES_GIB,
  folder: work.path,
  samplesCache: join(caches, "mainstay", "samples"),
  environment,
  say,
});
const booted = samples.find(({ sizeBytes }) => sizeBytes === BOOTED_GIB * GIB);
const serving = options.only === "boot" ? [] : await measureServing();
const booting = options.only === "serve" || booted === undefined ? undefined : await measureBooting(booted);
await report();

type Serving = { readonly label: string; readonly served: number[]; readonly firstBlock: number[] };

async function measureServing(): Promise<readonly Serving[]> {
  const rows = samples.map((sample) => ({
    sample,
    row: { label: sample.label, served: [], firstBlock: [] } as Serving,
  }));
  for (let round = 0; round < repeats; round += 1) {
    for (const { sample, row } of rows) {
      say(`served: ${sample.label}, ${round + 1} of ${repeats}`);
      await settle();
      const { served, "first-block": firstBlock } = await recover({
        repository: sample.repository,
        environment,
        probes: [],
        until: "first-block",
      });
      row.served.push(served ?? Number.NaN);
      row.firstBlock.push(firstBlock ?? Number.NaN);
    }
  }
  return rows.map(({ row }) => row);
}

type Booting = {
  readonly label: string;
  readonly withoutTrace: StageSeconds;
  readonly withTrace: readonly StageSeconds[];
  readonly direct: readonly DirectSeconds[];
};

async function measureBooting(sample: SampleRepository): Promise<Booting> {
  const probes = probesOf(sample);
  const { repository, label } = sample;
  const copy = join(work.path, "direct.raw");
  // What measuring the serving left behind is the trace of a boot that was cut off.
  await rm(join(ownCaches, "mainstay", "boot-traces"), { recursive: true, force: true });
  const boots: StageSeconds[] = [];
  const direct: DirectSeconds[] = [];
  for (let round = 0; round <= repeats; round += 1) {
    say(`SQL answer: recovered, ${round === 0 ? "no boot trace yet" : `${round} of ${repeats}`}`);
    await settle();
    boots.push(await recover({ repository, environment, probes, until: "probe-passed" }));
    if (round === repeats) break;
    say(`SQL answer: raw disk, ${round + 1} of ${repeats}`);
    await copyDisk(sample.disk, copy);
    await settle();
    direct.push(await bootDirectly(copy, probes));
  }
  const [withoutTrace = {}, ...withTrace] = boots;
  return { label, withoutTrace, withTrace, direct };
}

function probesOf({ server: { sql } }: SampleRepository): readonly string[] {
  const address = `sql:postgresql://${sql.user}:${sql.password}@:${sql.port}/${sql.database}`;
  const branches = options.quick ? 2 : 20;
  return [
    `${address}?query=select 1&expect=1&timeout=600`,
    `${address}?query=select count(*) from pgbench_branches&expect=${branches}&timeout=600`,
  ];
}

/** Nothing waits to be written, and nothing that will be read is in memory. */
async function settle(): Promise<void> {
  await runProgram({ command: "sync", words: [] });
  if (isCold) await runProgram({ command: "sh", words: ["-c", "echo 3 > /proc/sys/vm/drop_caches"] });
}

async function report(): Promise<void> {
  const verdicts: string[] = [];
  if (serving.length > 0) verdicts.push(...reportServing());
  if (booting !== undefined) verdicts.push(...reportBooting(booting));
  print(
    `${repeats} of each, page cache ${isCold ? "emptied before each" : "warm"}; ${accelerator.kind}; ` +
      `${machine.cores} cores, ${machine.processor}; load before ${machine.loadBefore.toFixed(1)}`,
  );
  for (const verdict of verdicts) print(verdict);
  if (verdicts.length > 0) process.exitCode = 1;
  if (options.quick || options.only !== undefined) return;
  const measured = { measuredAt: new Date().toISOString(), machine, accelerator, isCold, repeats };
  say(`written to ${await writeResult("recover", { ...measured, serving, booting })}`);
}

/** What is not as promised. */
function reportServing(): readonly string[] {
  const heading = ["From command to served disk", "served", "least", "most", "first block"];
  const rows = serving.map(({ label, served, firstBlock }) => [
    `virtual disk of ${label}`,
    ...[median(served), Math.min(...served), Math.max(...served), median(firstBlock)].map(seconds),
  ]);
  for (const line of tableLines([heading, ...rows])) print(line);
  const medians = serving.map(({ served }) => median(served));
  const centre = median(medians);
  const spread = Math.max(...medians.map((value) => Math.abs(value / centre - 1)));
  print(`The sizes differ by at most ${(spread * 100).toFixed(0)} % from their median\n`);
  const slowest = Math.max(...medians);
  return [
    ...(slowest > SERVED_SECONDS_MAX ? [`Not as promised: served after ${seconds(slowest)}`] : []),
    ...(spread > SERVED_SPREAD_MAX ? ["Not as promised: the time to serve depends on the disk's size"] : []),
  ];
}

function reportBooting({ label, withoutTrace, withTrace, direct }: Booting): readonly string[] {
  const heading = ["From command to SQL answer", "select 1", "ratio", "count(*)", "ratio"];
  const raw = [median(direct.map(({ service }) => service)), median(direct.map(({ passed }) => passed))];
  const row = (name: string, boots: readonly StageSeconds[]): readonly string[] => {
    const found = ratiosOf(boots, raw);
    return [name, ...found.flatMap(({ value, ratio }) => [seconds(value), ratio.toFixed(2)])];
  };
  const rows = [
    [`raw disk of ${label}, QEMU alone`, ...raw.flatMap((value) => [seconds(value), "1.00"])],
    row("recovered, no boot trace", [withoutTrace]),
    row("recovered, with boot trace", withTrace),
  ];
  for (const line of tableLines([heading, ...rows])) print(line);
  print("");
  const worst = Math.max(...ratiosOf(withTrace, raw).map(({ ratio }) => ratio));
  return worst > ANSWER_RATIO_MAX
    ? [`Not as promised: ${worst.toFixed(2)} times the raw disk, wanted ${ANSWER_RATIO_MAX}`]
    : [];
}

function ratiosOf(boots: readonly StageSeconds[], raw: readonly number[]) {
  const values = [
    median(boots.map((boot) => boot.service ?? Number.NaN)),
    median(boots.map((boot) => boot["probe-passed"] ?? Number.NaN)),
  ];
  return values.map((value, index) => ({ value, ratio: value / (raw[index] ?? Number.NaN) }));
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
