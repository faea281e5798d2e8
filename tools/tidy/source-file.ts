/** What the rules need to know of one TypeScript file: what it refers to, its functions, the error codes it declares. */

import { parseSync, Visitor, type Program as SyntaxTree } from "oxc-parser";

export type SourceFile = {
  readonly imports: readonly Import[];
  /** Every string in the file, since a worker or a program may be named by one. */
  readonly strings: readonly string[];
  readonly functions: readonly FunctionSize[];
  readonly errorCatalogues: readonly ErrorCatalogueText[];
  /** It does something when it is the file that Node was started with. */
  readonly isRunnable: boolean;
};

export type Import = { readonly specifier: string; readonly line: number };
export type FunctionSize = { readonly name: string; readonly line: number; readonly lineCount: number };
export type ErrorCatalogueText = {
  readonly area: string;
  readonly line: number;
  /** Name after the dot, and its meaning. */
  readonly codes: readonly (readonly [name: string, meaning: string])[];
};

type Span = { readonly start: number; readonly end: number };
type FunctionSpan = Span & { readonly name: string };

/** Calls whose callbacks are tests: a suite's function counts without the tests in it. */
const TEST_CALLS = new Set(["test", "it", "describe", "beforeAll", "beforeEach", "afterAll", "afterEach"]);

export function readSourceFile(path: string, text: string): SourceFile {
  const { program, module } = parseSync(path, text);
  const lineAt = lineFinder(text);
  const imports = [
    ...module.staticImports.map((each) => each.moduleRequest),
    ...module.staticExports.flatMap((each) => each.entries.flatMap((entry) => entry.moduleRequest ?? [])),
    ...module.dynamicImports.map(({ moduleRequest }) => ({
      ...moduleRequest,
      value: unquote(text, moduleRequest),
    })),
  ].map(({ value, start }) => ({ specifier: value, line: lineAt(start) }));
  const found = collect(program);
  return {
    imports: [
      ...imports,
      ...found.typeImports.map(({ value, start }) => ({ specifier: value, line: lineAt(start) })),
    ],
    strings: found.strings,
    functions: found.functions.map((each) => measure(each, found.testCalls, lineAt)),
    errorCatalogues: found.catalogues.map(({ start, ...each }) => ({ ...each, line: lineAt(start) })),
    isRunnable: text.includes("import.meta.main"),
  };
}

function unquote(text: string, span: Span): string {
  return text.slice(span.start + 1, span.end - 1);
}

function collect(program: SyntaxTree) {
  const functions: FunctionSpan[] = [];
  const testCalls: Span[] = [];
  const strings: string[] = [];
  const typeImports: { readonly value: string; readonly start: number }[] = [];
  const catalogues: { readonly area: string; readonly start: number; readonly codes: [string, string][] }[] =
    [];
  const names = new Map<number, string>();
  const keep = (node: Span & { readonly id?: { readonly name: string } | null }): void => {
    functions.push({
      start: node.start,
      end: node.end,
      name: node.id?.name ?? names.get(node.start) ?? "a function",
    });
  };
  new Visitor({
    VariableDeclarator: (node) => {
      if (node.init && node.id.type === "Identifier") names.set(node.init.start, node.id.name);
    },
    Property: (node) => {
      if (node.key.type === "Identifier") names.set(node.value.start, node.key.name);
    },
    MethodDefinition: (node) => {
      if (node.key.type === "Identifier") names.set(node.value.start, node.key.name);
    },
    FunctionDeclaration: keep,
    FunctionExpression: keep,
    ArrowFunctionExpression: keep,
    Literal: (node) => {
      if (typeof node.value === "string") strings.push(node.value);
    },
    TSImportType: (node) => {
      typeImports.push({ value: node.source.value, start: node.source.start });
    },
    CallExpression: (node) => {
      const callee = rootName(node.callee);
      if (callee !== undefined && TEST_CALLS.has(callee))
        testCalls.push({ start: node.start, end: node.end });
      if (callee !== "defineErrors") return;
      const [area, meanings] = node.arguments;
      if (area?.type !== "Literal" || meanings?.type !== "ObjectExpression") return;
      catalogues.push({
        area: String(area.value),
        start: node.start,
        codes: meanings.properties.map(codeOf),
      });
    },
  }).visit(program);
  return { functions, testCalls, strings, typeImports, catalogues };
}

type Expression = Parameters<
  NonNullable<ConstructorParameters<typeof Visitor>[0]["CallExpression"]>
>[0]["callee"];
type Properties = Extract<Expression, { readonly type: "ObjectExpression" }>["properties"];

/** `test`, of `test(…)`, `test.each(…)(…)` and `test.skipIf(…)(…)`. */
function rootName(node: Expression): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return rootName(node.object);
  return node.type === "CallExpression" ? rootName(node.callee) : undefined;
}

function codeOf(property: Properties[number]): [string, string] {
  if (property.type !== "Property") return ["?", ""];
  const { key, value } = property;
  const name = key.type === "Identifier" ? key.name : key.type === "Literal" ? String(key.value) : "?";
  return [name, meaningOf(value)];
}

/** A meaning may be several strings joined by `+`. */
function meaningOf(node: Expression): string {
  if (node.type === "Literal") return String(node.value);
  if (node.type !== "BinaryExpression" || node.left.type === "PrivateIdentifier") return "";
  return meaningOf(node.left) + meaningOf(node.right);
}

function measure(
  span: FunctionSpan,
  testCalls: readonly Span[],
  lineAt: (offset: number) => number,
): FunctionSize {
  const inside = testCalls.filter((call) => call.start > span.start && call.end <= span.end);
  const outermost = inside.filter((call) => !inside.some((other) => other !== call && contains(other, call)));
  const testLines = outermost.reduce((sum, call) => sum + lineAt(call.end) - lineAt(call.start), 0);
  const line = lineAt(span.start);
  return { name: span.name, line, lineCount: lineAt(span.end) - line + 1 - testLines };
}

function contains(outer: Span, inner: Span): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
