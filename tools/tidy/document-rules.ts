/** The documents say what is there, all of it. */

import { productionRoots, reachable, testRoots, type Graph } from "./graph.ts";
import { errorsPage, ERRORS_PAGE } from "../golden/errors-page.ts";
import type { Finding, SourceTree } from "./source-tree.ts";

const DECISION = /^docs\/decisions\/(?<name>[^/]+)\.md$/;
const DECISION_NAME = /^(?<number>\d{4})-[a-z0-9-]+$/;
const LICENSE_TITLE = "GNU AFFERO GENERAL PUBLIC LICENSE";

export function documentFindings(tree: SourceTree, graph: Graph): readonly Finding[] {
  return [
    ...readmeFindings(tree),
    ...architectureFindings(tree),
    ...decisionFindings(tree),
    ...licenceFindings(tree),
    ...errorFindings(tree, graph),
  ];
}

/** A package that holds nothing yet but its manifest needs no words. */
function isEmpty(tree: SourceTree, folder: string): boolean {
  return ![...tree.files.keys()].some(
    (path) => path.startsWith(`${folder}/`) && path !== `${folder}/package.json`,
  );
}

function readmeFindings(tree: SourceTree): readonly Finding[] {
  return [...tree.packages.keys()]
    .filter((folder) => !isEmpty(tree, folder) && !tree.files.has(`${folder}/README.md`))
    .map((folder) => ({
      path: `${folder}/README.md`,
      message: "is missing; say in one screen what the package owns, its nouns and what it never does",
    }));
}

function architectureFindings(tree: SourceTree): readonly Finding[] {
  const path = "ARCHITECTURE.md";
  const text = tree.files.get(path) ?? "";
  return [...tree.packages.keys()]
    .filter((folder) => !text.includes(`\`${folder}\``) && !text.includes(`\`${folder}/\``))
    .map((folder) => ({ path, message: `does not list \`${folder}\`; add it to the code map` }));
}

function decisionFindings(tree: SourceTree): readonly Finding[] {
  const names = [...tree.files.keys()]
    .flatMap((path) => DECISION.exec(path)?.groups?.["name"] ?? [])
    .toSorted();
  return names.flatMap((name, index) => {
    const path = `docs/decisions/${name}.md`;
    const found = DECISION_NAME.exec(name)?.groups?.["number"];
    const wanted = String(index + 1).padStart(4, "0");
    const findings: Finding[] = [];
    if (found !== wanted)
      findings.push({
        path,
        message: `found number ${found ?? "none"}, wanted ${wanted}: decisions are numbered without gaps`,
      });
    if (!/^## Cost$/m.test(tree.files.get(path) ?? ""))
      findings.push({ path, message: 'has no "## Cost"; say what the decision costs' });
    return findings;
  });
}

function licenceFindings(tree: SourceTree): readonly Finding[] {
  if (tree.files.get("LICENSE")?.includes(LICENSE_TITLE) === true) return [];
  return [{ path: "LICENSE", message: `does not hold the ${LICENSE_TITLE}` }];
}

function errorFindings(tree: SourceTree, graph: Graph): readonly Finding[] {
  const findings: Finding[] = [];
  const areas = new Map<string, string>();
  for (const [path, source] of graph.sources) {
    if (path.endsWith(".test.ts")) continue;
    for (const { area, line } of source.errorCatalogues) {
      const other = areas.get(area);
      if (other !== undefined)
        findings.push({
          path,
          line,
          message: `declares the error area "${area}", which ${other} has; choose another name`,
        });
      if (!path.endsWith("/errors.ts"))
        findings.push({ path, line, message: "declares error codes; they stand in a file errors.ts" });
      areas.set(area, path);
    }
  }
  if (tree.files.get(ERRORS_PAGE) !== errorsPage(graph)) {
    findings.push({
      path: ERRORS_PAGE,
      message: 'does not list the error codes as they are declared; run "npm run golden"',
    });
  }
  return findings;
}

/** Files that nothing leads to: no door, no program, no worker, no test. */
export function deadFileFindings(tree: SourceTree, graph: Graph): readonly Finding[] {
  const alive = reachable(graph, [...productionRoots(tree, graph), ...testRoots(tree, graph)]);
  return [...graph.sources.keys()]
    .filter((path) => !alive.has(path))
    .map((path) => ({
      path,
      message: "is reached from no door, program, worker or test; import it or remove it",
    }));
}
