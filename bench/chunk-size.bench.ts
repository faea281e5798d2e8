/**
 * `mainstay bench chunk-size [-- --quick --seconds N]`: what the chunk size of disk images and the zstd level cost and give, on a
 * real change: the sample server's disk before and after pgbench has worked in it. Caches are warm.
 */

import { parseArgs } from "node:util";
import { formatBytes, KIB } from "@mainstay/kit";
import { recordChange } from "./chunk-size/change-trace.ts";
import { compareLevels, type LevelFigures } from "./chunk-size/compression-run.ts";
import { runChunkSize, type ChunkSizeFigures } from "./chunk-size/image-run.ts";
import { machineFacts } from "./measure/machine-facts.ts";
import { tableLines, writeResult } from "./measure/report.ts";
import { makeWorkFolder } from "./measure/work-folder.ts";

const CHUNK_SIZES = [64, 128, 256, 512, 1024, 4096].map((size) => size * KIB);
const LEVELS = [1, 2, 3, 4, 5, 6];
const LEVEL_CHUNK_BYTES = 256 * KIB;

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, seconds: { type: "string" } },
});
const seconds = Number(options.seconds ?? (options.quick ? 10 : 60));

const machine = await machineFacts();
await using work = await makeWorkFolder();
say(`running the sample server and pgbench in it for ${seconds} s`);
const trace = await recordChange(work.path, options.quick ? "small" : "full", seconds);
say(`${trace.transactions} transactions`);
const sizes: ChunkSizeFigures[] = [];
for (const chunkBytes of CHUNK_SIZES) {
  say(`chunks of ${formatBytes(chunkBytes)}`);
  sizes.push(await runChunkSize(trace, chunkBytes, work.path));
}
const levels = await compareLevels(trace.after, LEVEL_CHUNK_BYTES, LEVELS);
for (const line of [...sizeTable(sizes), "", ...levelTable(levels)]) process.stdout.write(`${line}\n`);
if (!options.quick) {
  const { transactions } = trace;
  const path = await writeResult("chunk-size", {
    measuredAt: new Date().toISOString(),
    machine,
    change: { server: "full", seconds, transactions },
    sizes,
    levels,
  });
  say(`written to ${path}`);
}

function sizeTable(figures: readonly ChunkSizeFigures[]): readonly string[] {
  const heading = [
    "Chunk",
    "initial",
    "in",
    "incremental",
    "blobs",
    "index",
    "restore",
    "first read",
    "slow ones",
  ];
  const rows = figures.map((row) => [
    formatBytes(row.chunkBytes),
    formatBytes(row.initialBytes),
    `${row.initialSeconds.toFixed(1)} s`,
    formatBytes(row.incrementalBytes),
    String(row.blobs),
    formatBytes(row.indexBytes),
    `${row.restoreSeconds.toFixed(1)} s`,
    `${row.firstReadMs.toFixed(2)} ms`,
    `${row.firstReadSlowMs.toFixed(2)} ms`,
  ]);
  return tableLines([heading, ...rows]);
}

function levelTable(figures: readonly LevelFigures[]): readonly string[] {
  const heading = ["zstd level", "share left", "compress", "decompress"];
  const rows = figures.map((row) => [
    String(row.level),
    row.share.toFixed(4),
    `${formatBytes(row.compressBytesPerSecond)}/s`,
    `${formatBytes(row.decompressBytesPerSecond)}/s`,
  ]);
  return tableLines([heading, ...rows]);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
