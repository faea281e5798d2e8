/** All the rules that linters cannot know, over the whole tree. */

import { deadFileFindings, documentFindings } from "./document-rules.ts";
import { readGraph } from "./graph.ts";
import { lockFindings } from "./lock-rules.ts";
import { importFindings } from "./import-rules.ts";
import type { Finding, SourceTree } from "./source-tree.ts";
import { machineFactFindings, nameFindings, sizeFindings } from "./style-rules.ts";

export function tidy(tree: SourceTree): readonly Finding[] {
  const graph = readGraph(tree);
  return [
    ...importFindings(tree, graph),
    ...nameFindings(tree),
    ...sizeFindings(tree, graph),
    ...lockFindings(tree),
    ...documentFindings(tree, graph),
    ...deadFileFindings(tree, graph),
    ...machineFactFindings(tree),
  ];
}

export function describeFinding({ path, line, message }: Finding): string {
  return `${line === undefined ? path : `${path}:${line}`}: ${message}`;
}
