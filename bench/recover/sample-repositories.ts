/** The sample server's disk in several virtual sizes, each backed up into a fresh repository. */

import { mkdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes, GIB } from "@mainstay/kit";
import { buildSampleServer, type SampleServer } from "@mainstay/samples";
import { runProgram } from "../measure/program-run.ts";

export type SampleRepository = {
  readonly sizeBytes: number;
  /** Without the spaces of {@link formatBytes}, for the table. */
  readonly label: string;
  readonly disk: string;
  readonly repository: string;
  readonly server: SampleServer;
};

const LAUNCHER = join(import.meta.dirname, "../../mainstay");
/** The small disk's content is 3 GiB; a larger virtual disk around it has a longer hole at its end. */
export const SIZES_GIB = [7, 70, 700] as const;
/** The size that machines are run with. */
export const BOOTED_GIB = 70;

export type SampleRequest = {
  /** The small server, its disk made longer, instead of a server installed on a disk of each size. */
  readonly isQuick: boolean;
  readonly sizesGib: readonly number[];
  readonly folder: string;
  readonly samplesCache: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly say: (text: string) => void;
};

export async function makeSampleRepositories(request: SampleRequest): Promise<readonly SampleRepository[]> {
  const repositories: SampleRepository[] = [];
  for (const size of request.sizesGib) repositories.push(await makeOne(request, size * GIB));
  return repositories;
}

async function makeOne(request: SampleRequest, sizeBytes: number): Promise<SampleRepository> {
  const { isQuick, folder, samplesCache: cacheDirectory, environment, say } = request;
  const label = formatBytes(sizeBytes);
  const directory = join(folder, `server-${sizeBytes / GIB}`);
  await mkdir(directory);
  say(`${label}: the sample server's disk`);
  const server = await buildSampleServer(
    isQuick
      ? { variant: "small", directory, cacheDirectory }
      : { variant: "full", sizeBytes, directory, cacheDirectory },
  );
  if (isQuick) await truncate(server.diskPath, sizeBytes);
  const repository = join(folder, `repository-${sizeBytes / GIB}`);
  const run = (...words: readonly string[]) =>
    runProgram({ command: LAUNCHER, words: ["vault", ...words, "--repo", repository], environment });
  say(`${label}: backing it up`);
  await run("init");
  await run("backup", "image", server.diskPath, "--name", "sda");
  return { sizeBytes, label, disk: server.diskPath, repository, server };
}
