/** `npm run tidy`: prints what is untidy, one finding a line. */

import { join } from "node:path";
import { readSourceTree } from "./source-tree.ts";
import { describeFinding, tidy } from "./tidy.ts";

const findings = tidy(await readSourceTree(join(import.meta.dirname, "../..")));
for (const finding of findings) process.stdout.write(`${describeFinding(finding)}\n`);
process.exitCode = findings.length === 0 ? 0 : 1;
