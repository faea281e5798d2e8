/** Aids for tests: repositories that open quickly, and bytes that can be told apart. */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend } from "./backend/backend.ts";
import { createDiskBackend } from "./backend/disk.ts";
import { createMemoryBackend } from "./backend/memory.ts";
import type { RepositoryVersion } from "./format/envelope.ts";
import { createRepository, openRepository } from "./repository/open.ts";
import type { Repository } from "./repository/repository.ts";

export const TEST_PASSWORD = "a password for tests";

/** Quick to try: no secret hangs on it. */
const QUICK_SCRYPT = { N: 2, r: 1, p: 1 } as const;

/** A new repository, in memory unless told. */
export function createTestRepository(
  backend: Backend = createMemoryBackend(),
  version: RepositoryVersion = 2,
): Promise<Repository> {
  return createRepository({
    backend,
    version,
    password: TEST_PASSWORD,
    scryptCost: QUICK_SCRYPT,
    threads: 1,
  });
}

/** The same repository opened anew, as another process would. */
export function reopen(backend: Backend): Promise<Repository> {
  return openRepository({ backend, password: TEST_PASSWORD, threads: 1 });
}

/** An empty repository that shares the secrets of `source`. */
export function createTestReplica(
  source: Repository,
  backend: Backend = createMemoryBackend(),
): Promise<Repository> {
  return createRepository({
    backend,
    password: TEST_PASSWORD,
    scryptCost: QUICK_SCRYPT,
    sameSecretsAs: source,
    threads: 1,
  });
}

export type TestFolder = AsyncDisposable & {
  readonly path: string;
  /** A copy of the folder `name` in it under another name. */
  copy(name: string, as: string): Promise<string>;
};

/** A folder that is gone when disposed of. */
export async function createTestFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), "mainstay-test-"));
  return {
    path,
    copy: async (name, as) => {
      await cp(join(path, name), join(path, as), { recursive: true });
      return join(path, as);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A backend on the folder, without retries. */
export function diskOf(folder: string): Backend {
  return createDiskBackend(folder);
}

/** Bytes that look random and are the same each time for a seed. */
export function noise(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < sizeBytes; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** The seed of a fuzz test: MAINSTAY_SEED to repeat a run, else a new one. Printed, so that a failure can be repeated. */
export function testSeed(): number {
  const given = process.env["MAINSTAY_SEED"];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  process.stdout.write(`MAINSTAY_SEED=${seed}\n`);
  return seed;
}
