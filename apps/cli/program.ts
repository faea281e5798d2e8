/** From the words typed to a running command: finds its line in the list, loads its file, parses, runs. */

import { Argument, Command, CommanderError, Option } from "commander";
import { cliErrors } from "./errors.ts";
import type { CommandDeclaration, ExitStatus, OptionDeclaration } from "./command.ts";
import { COMMAND_GROUPS, type CommandGroup, type ListedCommand } from "./commands.ts";
import { ensurePrograms } from "./debian-packages.ts";
import { commandDetails, rootHelp, subjectHelp } from "./help.ts";
import { createTerminal, type TerminalStreams } from "./terminal/terminal.ts";

export type RunOptions = {
  readonly signal: AbortSignal;
  readonly version: string;
  readonly streams: TerminalStreams;
  readonly groups?: readonly CommandGroup[];
};

/** Resolves to the exit status the command gave; rejects with what it failed on, or `cli.usage`. */
export async function runProgram(words: readonly string[], options: RunOptions): Promise<ExitStatus> {
  const groups = options.groups ?? COMMAND_GROUPS;
  let status: ExitStatus = 0;
  const root = newCommand("mainstay", options).version(options.version, "--version", "print the version");
  root.helpInformation = () => rootHelp(groups);
  const chosen = findCommand(words, groups);
  for (const listed of groups.flatMap((group) => group.commands)) {
    const node = nodeFor(root, listed, options, groups);
    if (listed !== chosen) continue;
    const { command } = await listed.load();
    fill(node, command, async (result) => {
      status = (await run(command, result, options)) ?? 0;
    });
  }
  return parse(root, words).then(() => status);
}

/** The command whose words stand at the front of what was typed; the longest, should two match. */
export function findCommand(
  words: readonly string[],
  groups: readonly CommandGroup[],
): ListedCommand | undefined {
  return groups
    .flatMap((group) => group.commands)
    .filter((listed) => listed.words.split(" ").every((word, index) => words[index] === word))
    .toSorted((one, other) => other.words.length - one.words.length)[0];
}

async function parse(root: Command, words: readonly string[]): Promise<void> {
  // Only the words tell a person who typed nothing what to type.
  const effective = words.length === 0 ? ["--help"] : words;
  try {
    await root.parseAsync(effective, { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode !== 0) throw asUsageError(cause);
  }
}

function asUsageError(cause: CommanderError): Error {
  if (cause.code === "commander.help")
    return cliErrors.error("usage", "Cannot run: found a subject, wanted a command of it");
  const [first = "", ...hints] = cause.message.replace(/^error: /, "").split("\n");
  const hint = hints.join(" ").replace(/^\(|\)$/g, "");
  return cliErrors.error("usage", `Cannot run: ${first}${hint === "" ? "" : `; ${lowerFirst(hint)}`}`, {
    cause,
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function newCommand(name: string, options: RunOptions): Command {
  return new Command(name)
    .exitOverride()
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => options.streams.output.write(text),
      // The message comes back as the error thrown; printed once, at the end.
      writeErr: () => {},
    });
}

/** The node for the command's last word; the subjects before it are made on the way. */
function nodeFor(
  root: Command,
  listed: ListedCommand,
  options: RunOptions,
  groups: readonly CommandGroup[],
): Command {
  let node = root;
  let typed = "";
  for (const word of listed.words.split(" ")) {
    typed = `${typed} ${word}`.trim();
    const isSubject = typed !== listed.words;
    const existing = node.commands.find((command) => command.name() === word);
    node = existing ?? addNode(node, word, options, isSubject ? subjectHelp(typed, groups) : undefined);
  }
  return node.description(listed.summary);
}

function addNode(parent: Command, word: string, options: RunOptions, help: string | undefined): Command {
  const node = newCommand(word, options);
  if (help !== undefined) node.helpInformation = () => help;
  parent.addCommand(node);
  return node;
}

type Parsed = { readonly options: Readonly<Record<string, unknown>>; readonly arguments: readonly unknown[] };

function fill(
  node: Command,
  declaration: CommandDeclaration,
  action: (parsed: Parsed) => Promise<void>,
): void {
  for (const { name, about, optional, many } of declaration.arguments ?? []) {
    const word = many === undefined ? name : `${name}...`;
    const isOptional = optional === true || many === "any number";
    node.addArgument(new Argument(isOptional ? `[${word}]` : `<${word}>`, about));
  }
  for (const [name, option] of Object.entries(declaration.options ?? {}))
    node.addOption(optionFor(name, option));
  if (declaration.json !== undefined) node.option("--json", `print ${declaration.json} as JSON`);
  node.addHelpText("after", commandDetails(declaration));
  node.action(async (...values: unknown[]) =>
    action({ options: node.opts(), arguments: values.slice(0, -2) }),
  );
}

function optionFor(name: string, declared: OptionDeclaration): Option {
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const option = new Option(
    declared.value === undefined ? flag : `${flag} <${declared.value}>`,
    declared.about,
  );
  if (declared.choices !== undefined) option.choices(declared.choices);
  if (declared.repeat === true) {
    // After `choices`, which sets a parser of its own that keeps only the last value.
    const check = option.parseArg;
    const append = (value: string, before: unknown): readonly string[] => {
      check?.(value, undefined);
      return [...(Array.isArray(before) ? before : []), value];
    };
    option.argParser(append).default([], "none");
  }
  if (declared.default !== undefined) option.default(declared.default);
  return option.makeOptionMandatory(declared.required === true);
}

async function run(
  declaration: CommandDeclaration,
  parsed: Parsed,
  options: RunOptions,
): Promise<ExitStatus | void> {
  const terminal = createTerminal(parsed.options["json"] === true ? "json" : "text", options.streams);
  await ensurePrograms(declaration.programs ?? [], terminal, options.signal);
  const given = { ...switchesOff(declaration), ...parsed.options };
  // Commander filled these from the same declaration that gives `run` its types.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const invocation = { options: given, arguments: parsed.arguments } as Parameters<
    CommandDeclaration["run"]
  >[0];
  return declaration.run({ ...invocation, terminal, signal: options.signal });
}

/** Commander leaves a switch that was not given out; `run` is promised a boolean. */
function switchesOff(declaration: CommandDeclaration): Readonly<Record<string, false>> {
  const switches = Object.entries(declaration.options ?? {}).filter(
    ([, option]) => option.value === undefined,
  );
  return Object.fromEntries(switches.map(([name]) => [name, false as const]));
}
