/**
 * Every command there is. To add one: write its file, which exports `command` (see `defineCommand`), and its line here.
 *
 * The files are imported only when their command runs, so that `--help` and each command start quickly.
 */

import type { CommandDeclaration } from "./command.ts";

export type ListedCommand = {
  /** What is typed, such as `vault backup image`. */
  readonly words: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandDeclaration }>;
};

export type CommandGroup = { readonly title: string; readonly commands: readonly ListedCommand[] };

export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    title: "Develop",
    commands: [
      {
        words: "test",
        summary: "Run the static checks and the tests",
        load: () => import("./develop/test.ts"),
      },
      {
        words: "bench",
        summary: "Run a benchmark, beside what it is measured against",
        load: () => import("./develop/bench.ts"),
      },
    ],
  },
];
