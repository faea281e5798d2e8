import { join } from "node:path";
import { expect, test } from "vitest";
import { errorsPage, ERRORS_PAGE } from "../golden/errors-page.ts";
import { readGraph } from "./graph.ts";
import { objection } from "./import-table.ts";
import { readSourceFile } from "./source-file.ts";
import { readSourceTree, sourceTree } from "./source-tree.ts";
import { describeFinding, tidy } from "./tidy.ts";

test("this project is tidy", async () => {
  const findings = tidy(await readSourceTree(join(import.meta.dirname, "../..")));
  expect(findings.map(describeFinding)).toEqual([]);
});

const manifest = (name: string, dependencies: readonly string[] = []): string =>
  JSON.stringify({
    name: `@mainstay/${name}`,
    exports: { ".": "./index.ts", "./testing": "./testing.ts" },
    dependencies: Object.fromEntries(dependencies.map((each) => [each, "*"])),
  });

/** A small tree in which all is well. */
const TIDY: Readonly<Record<string, string>> = {
  LICENSE: "GNU AFFERO GENERAL PUBLIC LICENSE",
  "ARCHITECTURE.md": "`kit/` and `vault/` and `capture/`",
  "docs/decisions/0001-begin.md": "# Begin\n\n## Cost\n\nSome.",
  "kit/package.json": manifest("kit"),
  "kit/README.md": "kit",
  "kit/index.ts": 'export * from "./clock.ts";',
  "kit/clock.ts": "export const clock = 1;",
  "kit/testing.ts": "export const fakeClock = 1;",
  "vault/package.json": manifest("vault", ["@mainstay/kit", "zod"]),
  "vault/README.md": "vault",
  "vault/index.ts":
    'import "@mainstay/kit"; import "zod"; new Worker(new URL("./worker.ts", import.meta.url));',
  "vault/worker.ts": 'import { readFile } from "node:fs";',
  "vault/testing.ts": "export {};",
  "vault/index.test.ts":
    'import { test } from "vitest"; import "@mainstay/kit/testing"; test("x", () => {});',
};

function findingsOf(changes: Readonly<Record<string, string>>): readonly string[] {
  const files = new Map(Object.entries({ ...TIDY, ...changes }));
  const page = changes[ERRORS_PAGE] ?? errorsPage(readGraph(sourceTree(files)));
  return tidy(sourceTree(files.set(ERRORS_PAGE, page))).map(describeFinding);
}

test("a tidy tree has no findings", () => {
  expect(findingsOf({})).toEqual([]);
});

const longFunction = (lines: number, inner = ""): string =>
  `export function long(): void {\n${"  void 0;\n".repeat(lines - 2 - (inner.split("\n").length - 1))}${inner}}\n`;

test.each<readonly [string, Readonly<Record<string, string>>, string]>([
  ["a forbidden edge, with its reason", { "kit/clock.ts": 'import "@mainstay/vault";' }, "close a ring"],
  ["a relative import that leaves", { "vault/worker.ts": 'import "../kit/clock.ts";' }, "it leaves vault"],
  [
    "a type import that leaves",
    { "vault/worker.ts": 'export type T = import("../kit/clock.ts").T;' },
    "it leaves vault",
  ],
  [
    "another package's inner file",
    { "vault/worker.ts": 'import "@mainstay/kit/clock.ts";' },
    'wanted its door "@mainstay/kit"',
  ],
  ["its own door", { "vault/worker.ts": 'import "@mainstay/vault";' }, "import the file itself"],
  ["a dynamic import too", { "kit/clock.ts": 'await import("@mainstay/vault");' }, "close a ring"],
  [
    "a testing door in production",
    { "vault/worker.ts": 'import "@mainstay/kit/testing";' },
    "only tests use a testing door",
  ],
  ["an undeclared dependency", { "vault/worker.ts": 'import "pg";' }, "vault/package.json does not list it"],
  ["vitest in production", { "vault/worker.ts": 'import "vitest";' }, "vault/package.json does not list it"],
  ["a bare builtin", { "vault/worker.ts": 'import "fs";' }, 'write "node:fs"'],
  [
    "a name that says nothing",
    {
      "kit/index.ts": 'export * from "./clock.ts"; export * from "./file-utils.ts";',
      "kit/file-utils.ts": "",
    },
    '"utils"',
  ],
  [
    "a declared name that says nothing",
    { "kit/clock.ts": ["export class Clock", "Manager {}"].join("") },
    '"ClockManager" says nothing',
  ],
  ["a long file", { "kit/clock.ts": "void 0;\n".repeat(401) }, "found 401 lines"],
  ["a long function", { "kit/clock.ts": longFunction(71) }, "found 71 lines in long"],
  [
    "a package without README",
    { "kit/README.md": "", "capture/package.json": manifest("capture"), "capture/index.ts": "" },
    "capture/README.md: is missing",
  ],
  ["a package the map lacks", { "ARCHITECTURE.md": "`kit/`" }, "does not list `vault`"],
  [
    "a gap in the decisions",
    { "docs/decisions/0003-more.md": "## Cost\n" },
    "found number 0003, wanted 0002",
  ],
  ["a decision without its cost", { "docs/decisions/0001-begin.md": "# Begin" }, '"## Cost"'],
  ["no licence", { LICENSE: "MIT" }, "does not hold the GNU AFFERO"],
  ["a dead file", { "vault/old.ts": "" }, "vault/old.ts: is reached from no door"],
  [
    "a machine's path",
    { "kit/README.md": "see " + ["", "home", "someone", "project"].join("/") },
    "a path of one machine",
  ],
  [
    "a registry's address",
    { "kit/README.md": "from https://" + ["registry", "example", "org"].join(".") },
    "a package registry's address",
  ],
  [
    "codes outside errors.ts",
    { "kit/clock.ts": 'defineErrors("clock", { off: "It is off" })' },
    "they stand in a file errors.ts",
  ],
  ["an errors page that is behind", { [ERRORS_PAGE]: "# Error codes" }, 'run "npm run golden"'],
])("%s is found", (_, changes, message) => {
  expect(findingsOf(changes).join("\n")).toContain(message);
});

test("a function of 70 lines and a file of 400 pass", () => {
  expect(findingsOf({ "kit/clock.ts": longFunction(70) + "void 0;\n".repeat(330) })).toEqual([]);
});

test("a suite's function counts without the tests in it", () => {
  const tests = `  test("x", () => {\n${"    void 0;\n".repeat(60)}  });\n`;
  expect(findingsOf({ "kit/testing.ts": longFunction(100, tests) })).toEqual([]);
});

test("a manifest that the lock file does not know is found", () => {
  const lock = (zod: string): string =>
    JSON.stringify({
      packages: {
        "": {},
        kit: {},
        vault: { dependencies: { zod, "@mainstay/kit": "*" } },
      },
    });
  expect(findingsOf({ "package.json": "{}", "package-lock.json": lock("*") })).toEqual([]);
  expect(findingsOf({ "package.json": "{}", "package-lock.json": lock("^4") })).toEqual([
    expect.stringContaining("vault/package.json: lists other packages than package-lock.json"),
  ]);
});

test("golden files and test data are not held to our style", () => {
  expect(
    findingsOf({
      "kit/testdata/long.ts": "void 0;\n".repeat(500),
      "kit/api.golden.ts": "void 0;\n".repeat(500),
    }),
  ).toEqual([]);
});

test("two packages may not declare one error area, and the page lists every code with its meaning", () => {
  const errors = (meaning: string): string =>
    `export const e = defineErrors("disk", { full: "${meaning}" + " left", "not-there": "Gone" });`;
  const changes = {
    "kit/index.ts": 'export * from "./clock.ts"; export * from "./errors.ts";',
    "kit/errors.ts": errors("No room"),
    "vault/index.ts": 'import "@mainstay/kit"; import "./worker.ts"; import "./errors.ts";',
    "vault/errors.ts": errors("No space"),
  };
  expect(findingsOf(changes)).toEqual([
    expect.stringContaining('declares the error area "disk", which kit/errors.ts has'),
  ]);
  const page = errorsPage(readGraph(sourceTree(new Map(Object.entries({ ...TIDY, ...changes })))));
  expect(page).toContain("| `disk.full` | No room left |");
  expect(page).toContain("| `disk.not-there` | Gone |");
});

test("imports are read with their lines, whatever their form", () => {
  const text =
    'import a from "a";\nexport * from "b";\nexport { c } from "c";\nconst d = import("d");\ntype E = import("e").E;\n';
  expect(
    readSourceFile("x.ts", text)
      .imports.map(({ specifier, line }) => `${specifier}:${line}`)
      .toSorted(),
  ).toEqual(["a:1", "b:2", "c:3", "d:4", "e:5"]);
});

test("the server may not capture, a new module may use the directory, a package without a line is told so", () => {
  expect(objection("apps/server", "capture")).toMatch(/by an agent/);
  expect(objection("apps/server", "modules/billing")).toBeUndefined();
  expect(objection("modules/billing", "modules/directory")).toBeUndefined();
  expect(objection("modules/billing", "modules/protection")).toMatch(/flows/);
  expect(objection("orchard", "kit")).toMatch(/add one with its reason/);
});
