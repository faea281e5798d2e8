/** Which file refers to which, and what can be reached from where. */

import { dirname, normalize } from "node:path";
import { readSourceFile, type SourceFile } from "./source-file.ts";
import { isGiven, isTest, type SourceTree } from "./source-tree.ts";

export type Graph = {
  readonly sources: ReadonlyMap<string, SourceFile>;
  /** The files a file refers to: imports, and workers and programs named by a string. */
  readonly edges: ReadonlyMap<string, readonly string[]>;
};

const SOURCE = /\.(?:ts|tsx)$/;
/** Started by Node, vite, vitest or a benchmark, not by an import. */
const STARTED_BY_NAME = /(?:^|\/)main\.tsx?$|\.config\.ts$|\.bench\.ts$|\.d\.ts$/;

export function readGraph(tree: SourceTree): Graph {
  const sources = new Map<string, SourceFile>();
  for (const [path, text] of tree.files) {
    if (SOURCE.test(path) && !isGiven(path)) sources.set(path, readSourceFile(path, text));
  }
  const edges = new Map([...sources].map(([path, source]) => [path, targetsOf(tree, path, source)]));
  return { sources, edges };
}

function targetsOf(tree: SourceTree, path: string, source: SourceFile): readonly string[] {
  const imported = source.imports.map(({ specifier }) => resolveImport(tree, path, specifier));
  const named = source.strings
    .filter((text) => SOURCE.test(text))
    .map((text) => resolveFile(tree, path, text));
  return [...imported, ...named].filter((target) => target !== undefined);
}

/** The file a specifier means: a relative file, or the door of one of our packages. */
export function resolveImport(tree: SourceTree, path: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return resolveFile(tree, path, specifier);
  for (const each of tree.packages.values()) {
    if (specifier !== each.name && !specifier.startsWith(`${each.name}/`)) continue;
    return each.doors.get(`.${specifier.slice(each.name.length)}`);
  }
  return undefined;
}

function resolveFile(tree: SourceTree, path: string, relative: string): string | undefined {
  const target = normalize(`${dirname(path)}/${relative.replace(/\?.*$/, "")}`);
  return [target, `${target}.ts`, `${target}.tsx`].find((candidate) => tree.files.has(candidate));
}

/** Files that run without a test asking for them. */
export function productionRoots(tree: SourceTree, graph: Graph): readonly string[] {
  const doors = [...tree.packages.values()].flatMap(({ doors: each }) =>
    [...each].filter(([door]) => door !== "./testing").map(([, file]) => file),
  );
  const started = [...graph.sources].filter(
    ([path, source]) => STARTED_BY_NAME.test(path) || source.isRunnable,
  );
  return [...doors, ...started.map(([path]) => path)];
}

export function testRoots(tree: SourceTree, graph: Graph): readonly string[] {
  const doors = [...tree.packages.values()].flatMap(({ doors: each }) => each.get("./testing") ?? []);
  return [...doors, ...[...graph.sources.keys()].filter(isTest)];
}

export function reachable(graph: Graph, roots: readonly string[]): ReadonlySet<string> {
  const reached = new Set<string>();
  const waiting = [...roots];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(graph.edges.get(path) ?? []));
  }
  return reached;
}
