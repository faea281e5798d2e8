/** `npm run golden`: writes the files that are made from the code. The tests fail while one of them is behind. */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readGraph } from "../tidy/graph.ts";
import { readSourceTree } from "../tidy/source-tree.ts";
import { errorsPage, ERRORS_PAGE } from "./errors-page.ts";

const root = join(import.meta.dirname, "../..");
const path = join(root, ERRORS_PAGE);
await mkdir(dirname(path), { recursive: true });
await writeFile(path, errorsPage(readGraph(await readSourceTree(root))));
process.stdout.write(`wrote ${ERRORS_PAGE}\n`);
