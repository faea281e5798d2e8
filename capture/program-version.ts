/** How restore points name the program that made them. */

import manifest from "./package.json" with { type: "json" };

export const PROGRAM_VERSION = `mainstay ${manifest.version}`;
