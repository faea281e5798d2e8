/** A command as a declared value: what it takes, what it needs, and what it does. */

import type { Terminal } from "./terminal/terminal.ts";
import type { Program } from "./debian-packages.ts";

export type CommandDeclaration<
  Options extends OptionDeclarations = OptionDeclarations,
  Arguments extends readonly ArgumentDeclaration[] = readonly ArgumentDeclaration[],
> = {
  /** What it does beyond the one line of the command list; shown by `--help` above the options. */
  readonly details?: string;
  readonly arguments?: Arguments;
  /** By camel-case name: `readData` is typed `--read-data`. */
  readonly options?: Options;
  /** Given when the command can answer a program: adds `--json`, and says what is then printed. */
  readonly json?: string;
  /** Complete command lines, without the leading `mainstay`. */
  readonly examples?: readonly string[];
  /** Programs it runs; installed before `run` if that is possible, else the command does not start. */
  readonly programs?: readonly Program[];
  /** Resolves to the exit status; `1` when the thing asked failed or found damage, nothing when all is well. */
  readonly run: (invocation: Invocation<Options, Arguments>) => Promise<ExitStatus | void>;
};

/** 0: done. 1: the thing asked failed or found damage. (2, wrong usage or cannot start, is given by the shell around.) */
export type ExitStatus = 0 | 1;

export type ArgumentDeclaration = {
  readonly name: string;
  readonly about: string;
  /** May be left out. Not together with `many`. */
  readonly optional?: true;
  /** Takes all the words that remain; only the last argument may. */
  readonly many?: "one or more" | "any number";
};

export type OptionDeclaration = {
  readonly about: string;
  /** What stands for the value in the help, such as `FILE`. Without it the option is a switch. */
  readonly value?: string;
  readonly required?: true;
  readonly default?: string;
  readonly choices?: readonly string[];
  /** May be given several times. */
  readonly repeat?: true;
};

export type OptionDeclarations = Readonly<Record<string, OptionDeclaration>>;

export type Invocation<
  Options extends OptionDeclarations = OptionDeclarations,
  Arguments extends readonly ArgumentDeclaration[] = readonly ArgumentDeclaration[],
> = {
  readonly options: { readonly [Name in keyof Options]: OptionValue<Options[Name]> };
  readonly arguments: { readonly [Index in keyof Arguments]: ArgumentValue<Arguments[Index]> };
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C or SIGTERM; the command then winds down and rejects with the signal's reason. */
  readonly signal: AbortSignal;
};

type OptionValue<Option extends OptionDeclaration> = Option extends { readonly repeat: true }
  ? readonly string[]
  : Option extends { readonly value: string }
    ? Option extends { readonly required: true } | { readonly default: string }
      ? string
      : string | undefined
    : boolean;

type ArgumentValue<Argument extends ArgumentDeclaration> = Argument extends { readonly many: string }
  ? readonly string[]
  : Argument extends { readonly optional: true }
    ? string | undefined
    : string;

/** Declares a command; the types of `options` and `arguments` in `run` follow from the declaration. */
export function defineCommand<
  const Options extends OptionDeclarations = Readonly<Record<string, never>>,
  const Arguments extends readonly ArgumentDeclaration[] = readonly [],
>(declaration: CommandDeclaration<Options, Arguments>): CommandDeclaration {
  // The shell around fills options and arguments from this same declaration, so the narrower view is the true one.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return declaration as unknown as CommandDeclaration;
}
