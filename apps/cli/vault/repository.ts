/** Opening the repository that a command's options name. */

import { readFile } from "node:fs/promises";
import { createRepository, openBackend, openRepository, type Repository } from "@mainstay/vault";
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

async function backendOf({ options }: RepositoryRequest) {
  if (options.cacert === undefined) return openBackend(options.repo);
  const certificate = await readFile(options.cacert, "utf8");
  return openBackend(options.repo, { trust: { kind: "authority", certificate } });
}
