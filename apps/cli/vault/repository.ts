/** Opening the repository that a command's options name. */

import { readFile } from "node:fs/promises";
import {
  type Backend,
  createRepository,
  type OpenBackendOptions,
  openBackend,
  openRepository,
  type Repository,
} from "@mainstay/vault";
import type { Terminal } from "../terminal/terminal.ts";
import { passwordOption, readRepositoryPassword } from "./password.ts";

/** The options to spread into every command that works on a repository. */
export const repositoryOptions = {
  repo: {
    value: "PLACE",
    required: true,
    about: "the repository: a folder, or rest:http(s)://[user:password@]host[:port]/path/",
  },
  cacert: { value: "FILE", about: "certificate authority to trust for a rest: repository" },
  ...passwordOption,
} as const;

export type RepositoryRequest = {
  readonly options: {
    readonly repo: string;
    readonly cacert: string | undefined;
    readonly passwordFile: string | undefined;
  };
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
};

const FIRST_ATTEMPTS_MAX = 2;

/** Whoever calls disposes of it. */
export async function openRequested(request: RepositoryRequest): Promise<Repository> {
  const backend = await backendOf(request);
  const { terminal, signal, options } = request;
  const password = await readRepositoryPassword({ passwordFile: options.passwordFile, terminal, signal });
  return openRepository({ backend, password });
}

export async function createRequested(request: RepositoryRequest): Promise<Repository> {
  const backend = await backendOf(request);
  const { terminal, signal, options } = request;
  const password = await readRepositoryPassword({
    passwordFile: options.passwordFile,
    isNew: true,
    terminal,
    signal,
  });
  return createRepository({ backend, password });
}

async function backendOf({ options }: RepositoryRequest): Promise<Backend> {
  const trust = await trustOf(options.cacert);
  if (options.repo.startsWith("rest:")) await lookFirst(options.repo, trust);
  return openBackend(options.repo, trust);
}

/** An address that nobody answers at is told at once; only in the middle of work is a silent server waited for. */
async function lookFirst(repo: string, trust: OpenBackendOptions): Promise<void> {
  const backend = openBackend(repo, { ...trust, retries: { attemptsMax: FIRST_ATTEMPTS_MAX } });
  try {
    await backend.stat({ kind: "config", name: "" });
  } finally {
    await backend.close();
  }
}

async function trustOf(certificatePath: string | undefined): Promise<OpenBackendOptions> {
  if (certificatePath === undefined) return {};
  return { trust: { kind: "authority", certificate: await readFile(certificatePath, "utf8") } };
}
