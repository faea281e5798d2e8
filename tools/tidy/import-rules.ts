/** Imports run one way, through doors, and only to what a package declares. */

import { isBuiltin } from "node:module";
import { dirname, normalize } from "node:path";
import { productionRoots, reachable, type Graph } from "./graph.ts";
import { objection } from "./import-table.ts";
import type { Import } from "./source-file.ts";
import { isTest, packageOf, type Finding, type Package, type SourceTree } from "./source-tree.ts";

type Place = { readonly path: string; readonly from: Package; readonly isProduction: boolean };

const OURS = "@mainstay/";
/** Of the root's own `package.json`: every test may use them. */
const FOR_EVERY_TEST = new Set(["vitest", "fast-check"]);
/** Folders that no product code imports. */
const ONLY_FOR_DEVELOPERS = new Set(["bench", "e2e", "tools"]);

export function importFindings(tree: SourceTree, graph: Graph): readonly Finding[] {
  const production = reachable(graph, productionRoots(tree, graph));
  return [...graph.sources].flatMap(([path, source]) => {
    const from = packageOf(tree, path);
    if (from === undefined) return [];
    const isProduction = production.has(path) && !ONLY_FOR_DEVELOPERS.has(from.folder);
    return source.imports.flatMap((each) => {
      const message = judge(tree, { path, from, isProduction }, each);
      return message === undefined ? [] : [{ path, line: each.line, message }];
    });
  });
}

function judge(tree: SourceTree, place: Place, { specifier }: Import): string | undefined {
  if (specifier.startsWith(".")) return judgeRelative(tree, place, specifier);
  if (specifier.startsWith(OURS)) return judgeOurs(tree, place, specifier);
  return judgeForeign(place, specifier);
}

function judgeRelative(tree: SourceTree, { path, from }: Place, specifier: string): string | undefined {
  const target = normalize(`${dirname(path)}/${specifier}`);
  if (packageOf(tree, target) === from) return undefined;
  return `Cannot import "${specifier}": it leaves ${from.folder}; import the other package's door`;
}

function judgeOurs(
  tree: SourceTree,
  { path, from, isProduction }: Place,
  specifier: string,
): string | undefined {
  const to = [...tree.packages.values()].find(
    ({ name }) => specifier === name || specifier.startsWith(`${name}/`),
  );
  if (to === undefined) return `Cannot import "${specifier}": there is no such package`;
  if (to === from) return `Cannot import "${specifier}": it is this package; import the file itself`;
  const door = `.${specifier.slice(to.name.length)}`;
  if (door !== "." && door !== "./testing") {
    return `Cannot import "${specifier}": found a file of ${to.folder}, wanted its door "${to.name}" or "${to.name}/testing"`;
  }
  if (door === "./testing" && isProduction && !isTest(path)) {
    return `Cannot import "${specifier}": what runs in production reaches ${path}; only tests use a testing door`;
  }
  const reason = objection(from.folder, to.folder);
  if (reason !== undefined) return `Cannot import ${to.folder} from ${from.folder}: ${reason}`;
  if (from.dependencies.includes(to.name)) return undefined;
  return `Cannot import "${specifier}": ${from.folder}/package.json does not list it; add "${to.name}": "*"`;
}

function judgeForeign({ from, isProduction }: Place, specifier: string): string | undefined {
  if (isBuiltin(specifier)) {
    return specifier.startsWith("node:")
      ? undefined
      : `Cannot import "${specifier}": write "node:${specifier}"`;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (from.dependencies.includes(name) || (FOR_EVERY_TEST.has(name) && !isProduction)) return undefined;
  return `Cannot import "${specifier}": ${from.folder}/package.json does not list it; add it there`;
}
