/** `docs/errors.md`, made from the catalogues in the code, so that the two cannot differ. */

import type { Graph } from "../tidy/graph.ts";
import { isTest } from "../tidy/source-tree.ts";

export const ERRORS_PAGE = "docs/errors.md";

const INTRODUCTION = `# Error codes

Every failure that a person or a program can act on has a code that stays the same for ever. The message beside it says what could
not be done, what was found and what was wanted, and the way out. \`--json\` and the API carry code, message and values.

This page is made from the code by \`npm run golden\`; do not edit it.
`;

export function errorsPage(graph: Graph): string {
  const catalogues = [...graph.sources]
    .filter(([path]) => !isTest(path))
    .flatMap(([, source]) => source.errorCatalogues)
    .toSorted((one, other) => (one.area < other.area ? -1 : 1));
  const sections = catalogues.map(({ area, codes }) => {
    const rows = codes.map(
      ([name, meaning]) => `| \`${area}.${name}\` | ${meaning.replaceAll("|", "\\|")} |`,
    );
    return [`## ${area}`, "", "| code | what it means |", "|---|---|", ...rows, ""].join("\n");
  });
  return [INTRODUCTION, ...sections].join("\n");
}
