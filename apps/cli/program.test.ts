import { expect, test } from "vitest";
import { defineCommand, type CommandDeclaration } from "./command.ts";
import { COMMAND_GROUPS, type CommandGroup } from "./commands.ts";
import { runProgram } from "./program.ts";

type Outcome = { readonly output: string; readonly status: number; readonly given: unknown };

const take = (command: (keep: (given: unknown) => void) => CommandDeclaration) => {
  let given: unknown;
  const loaded = command((value) => (given = value));
  const groups: readonly CommandGroup[] = [
    {
      title: "Vault",
      commands: [
        { words: "vault check", summary: "Check it", load: () => Promise.resolve({ command: loaded }) },
        {
          words: "vault restore",
          summary: "Restore it",
          load: () => Promise.reject(new Error("loaded without need")),
        },
      ],
    },
  ];
  return async (words: string): Promise<Outcome> => {
    let output = "";
    const write = (text: string | Uint8Array): boolean => ((output += String(text)), true);
    const streams = {
      output: { write },
      error: { write, isTTY: false, columns: 80 },
      input: { isTTY: false },
    };
    const signal = new AbortController().signal;
    const typed = words === "" ? [] : words.split(" ");
    const status = await runProgram(typed, { groups, signal, version: "mainstay 1", streams });
    return { output, status, given };
  };
};

const check = take((keep) =>
  defineCommand({
    details: "Reads every pack.",
    arguments: [
      { name: "point", about: "the point" },
      { name: "paths", about: "paths in it", many: "any number" },
    ],
    options: {
      repo: { value: "WHERE", about: "the repository", required: true },
      readData: { about: "read all" },
      memory: { value: "SIZE", about: "memory", default: "1G" },
      forward: { value: "SPEC", about: "forward", repeat: true },
      mode: { value: "MODE", about: "mode", choices: ["fast", "slow"] },
    },
    json: "the damage found",
    run: async ({ options, arguments: words, terminal }) => {
      keep({ options, words });
      terminal.print("for people");
      terminal.result({ damaged: 1 });
      return 1;
    },
  }),
);

test("a command gets its arguments and options by their declared names and its status is handed on", async () => {
  const { given, status } = await check(
    "vault check a1 x y --repo /r --read-data --forward tcp:1:2 --forward tcp:3:4",
  );
  expect(given).toEqual({
    words: ["a1", ["x", "y"]],
    options: { repo: "/r", readData: true, memory: "1G", forward: ["tcp:1:2", "tcp:3:4"] },
  });
  expect(status).toBe(1);
});

test("what was not given is false for a switch, empty for a repeated option, absent otherwise", async () => {
  const { given } = await check("vault check a1 --repo /r");
  expect(given).toEqual({
    words: ["a1", []],
    options: { repo: "/r", readData: false, memory: "1G", forward: [] },
  });
});

test("a program gets JSON and nothing else, a person gets text and nothing else", async () => {
  expect((await check("vault check a1 --repo /r --json")).output).toBe('{"damaged":1}\n');
  expect((await check("vault check a1 --repo /r")).output).toBe("for people\n");
});

test.each([
  ["vault chekc a1", "unknown command 'chekc'; did you mean check?"],
  ["vualt check", "unknown command 'vualt'; did you mean vault?"],
  ["vault check a1 --repo /r --read-dat", "unknown option '--read-dat'; did you mean --read-data?"],
  ["vault check a1", "required option '--repo <WHERE>' not specified"],
  ["vault check --repo /r", "missing required argument 'point'"],
  ["vault check a1 --repo /r --mode odd", "Allowed choices are fast, slow"],
  ["vault", "wanted a command of it"],
])("%j is refused as wrong usage: %s", async (words, message) => {
  await expect(check(words)).rejects.toMatchObject({
    code: "cli.usage",
    message: expect.stringContaining(message),
  });
});

test.each(["", "--help", "-h"])("%j prints what there is, loading no command", async (words) => {
  const { output, status } = await check(words);
  expect(output).toMatch(/^Vault\n {2}vault check {4}Check it\n {2}vault restore {2}Restore it$/m);
  expect(status).toBe(0);
});

test("a subject's help lists its commands; a command's help shows details, arguments and options", async () => {
  expect((await check("vault --help")).output).toContain("vault restore  Restore it");
  const { output } = await check("vault check --help");
  expect(output).toContain("mainstay vault check [options] <point> [paths...]");
  expect(output).toContain("Reads every pack.");
  expect(output).toMatch(/--json +print the damage found as JSON/);
  expect(output).toMatch(/--read-data +read all\n/);
});

test("the version is printed", async () => {
  expect((await check("--version")).output).toBe("mainstay 1\n");
});

test("every listed command can be loaded and has words and a summary of its own", async () => {
  const listed = COMMAND_GROUPS.flatMap((group) => group.commands);
  expect(new Set(listed.map((command) => command.words)).size).toBe(listed.length);
  for (const { load } of listed) expect((await load()).command.run).toBeTypeOf("function");
});
