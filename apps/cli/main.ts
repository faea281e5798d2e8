/** The entry point: turns Node's compile cache on before anything else is loaded. */

import { enableCompileCache } from "node:module";
import { join } from "node:path";

// In our own tree, not the system's temporary directory, where another user could leave code for us to run.
enableCompileCache(join(import.meta.dirname, "../../.cache/node-compile"));

const { main } = await import("./start.ts");
await main(process.argv.slice(2));
