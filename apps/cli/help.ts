/** The help texts: of everything, of a subject such as `vault`, and what a command says beyond its options. */

import type { CommandDeclaration } from "./command.ts";
import type { CommandGroup, ListedCommand } from "./commands.ts";

const EXIT_STATUS = `Exit status
  0  done
  1  what was asked failed, or found damage
  2  wrong usage, or cannot start (a program, a password or a right is missing)
  130, 143  stopped by Ctrl-C or SIGTERM; a second one does not wait`;

const ENVIRONMENT = `Environment
  RESTIC_PASSWORD, RESTIC_PASSWORD_FILE  the repository's password, as for restic
  MAINSTAY_DEBUG=1                       show where an error happened`;

export function rootHelp(groups: readonly CommandGroup[]): string {
  const width = Math.max(...groups.flatMap((group) => group.commands.map((listed) => listed.words.length)));
  return [
    "Mainstay protects machines and proves that they can be recovered.",
    "Usage: mainstay COMMAND [OPTIONS]",
    ...groups
      .filter((group) => group.commands.length > 0)
      .map((group) => section(group.title, group.commands, width)),
    'Run "mainstay COMMAND --help" for what a command takes. Many print --json for programs.',
    EXIT_STATUS,
    ENVIRONMENT,
    "",
  ].join("\n\n");
}

export function subjectHelp(subject: string, groups: readonly CommandGroup[]): string {
  const commands = groups
    .flatMap((group) => group.commands)
    .filter((listed) => listed.words.startsWith(`${subject} `));
  const width = Math.max(...commands.map((listed) => listed.words.length));
  return [`Usage: mainstay ${subject} COMMAND [OPTIONS]`, section("Commands", commands, width), ""].join(
    "\n\n",
  );
}

/** Printed below the options commander lists. */
export function commandDetails(declaration: CommandDeclaration): string {
  const examples = (declaration.examples ?? []).map((line) => `  mainstay ${line}`);
  const parts = [
    ...(declaration.details === undefined ? [] : [declaration.details]),
    ...(examples.length === 0 ? [] : [["Examples:", ...examples].join("\n")]),
  ];
  return parts.length === 0 ? "" : `\n${parts.join("\n\n")}`;
}

function section(title: string, commands: readonly ListedCommand[], width: number): string {
  return [title, ...commands.map((listed) => `  ${listed.words.padEnd(width)}  ${listed.summary}`)].join(
    "\n",
  );
}
