/** The two programs that are measured, each as the commands a person would type. */

import { join } from "node:path";
import { runProgram, type Program, type ProgramRun } from "../measure/program-run.ts";

export type SourceKind = "tree" | "image";

export type Contestant = {
  readonly name: "mainstay" | "restic";
  init(repository: string): Promise<ProgramRun>;
  backup(repository: string, kind: SourceKind, source: string): Promise<ProgramRun>;
  list(repository: string): Promise<ProgramRun>;
  /** Restores the newest restore point below `target`; the run, and where what was backed up lies now. */
  restore(
    repository: string,
    kind: SourceKind,
    source: string,
    target: string,
  ): Promise<{ run: ProgramRun; restored: string }>;
};

const LAUNCHER = join(import.meta.dirname, "../../mainstay");

export function mainstay(environment: Environment): Contestant {
  const run = (...words: string[]): Promise<ProgramRun> =>
    runProgram({ command: LAUNCHER, words, environment });
  return {
    name: "mainstay",
    init: (repository) => run("vault", "init", "--repo", repository),
    backup: (repository, kind, source) =>
      run("vault", "backup", kind === "image" ? "image" : "files", source, "--repo", repository),
    list: (repository) => run("vault", "points", "--repo", repository),
    restore: async (repository, kind, source, target) => ({
      run: await run("vault", "restore", "latest", "--target", target, "--repo", repository),
      restored: kind === "image" ? target : join(target, source),
    }),
  };
}

export function restic(environment: Environment): Contestant {
  const run = (...words: string[]): Promise<ProgramRun> => runProgram(resticProgram(environment, ...words));
  return {
    name: "restic",
    init: (repository) => run("init", "-r", repository),
    backup: (repository, _kind, source) => run("backup", source, "-r", repository),
    list: (repository) => run("snapshots", "-r", repository),
    restore: async (repository, _kind, source, target) => ({
      run: await run("restore", "latest", "--target", target, "-r", repository),
      restored: join(target, source),
    }),
  };
}

export type Environment = Readonly<Record<"RESTIC_PASSWORD" | "RESTIC_CACHE_DIR", string>>;

export function resticProgram(environment: Environment, ...words: string[]): Program {
  return { command: "restic", words: ["-q", ...words], environment };
}
