/** `server.json` in the data folder: where the running server is, for commands on the same machine. */

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const content = z.object({
  pid: z.number().int(),
  address: z.string(),
  /** SHA-256 of the TLS certificate (DER), to pin. */
  certificateSha256: z.string(),
  /** Where its PostgreSQL listens: a folder or a host. */
  database: z.object({ host: z.string(), port: z.number(), database: z.string(), user: z.string() }),
});

export type RunningFile = z.output<typeof content>;

export async function writeRunningFile(dataDirectory: string, running: RunningFile): Promise<void> {
  const path = pathIn(dataDirectory);
  await writeFile(`${path}.new`, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Undefined when no server was started there, or the last one stopped in order. */
export async function readRunningFile(dataDirectory: string): Promise<RunningFile | undefined> {
  const text = await readFile(pathIn(dataDirectory), "utf8").catch(() => undefined);
  return text === undefined ? undefined : content.parse(JSON.parse(text));
}

export async function removeRunningFile(dataDirectory: string): Promise<void> {
  await rm(pathIn(dataDirectory), { force: true });
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, "server.json");
}
