/**
 * Compiles the hot path: `node vault/wasm/build.ts`. The bytes are committed, so that running needs no compiler; a
 * test compiles again and compares.
 */

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { assert, messageOf } from "@mainstay/kit";
import { main } from "assemblyscript/asc";

/** Memory is 2 pages, 128 KiB, for tables and scratch: fixed, so that the hot path can never grow. */
const OPTIONS = [
  "-O3",
  "--noAssert",
  "--outFile=hot-path.wasm",
  "--runtime=stub",
  "--memoryBase=0",
  "--initialMemory=2",
  "--maximumMemory=2",
];

/** The compiled module. Same source and compiler, same bytes. */
export async function compileHotPath(): Promise<Uint8Array> {
  const source = fileURLToPath(new URL("source/hot-path.ts", import.meta.url));
  const written = new Map<string, Uint8Array>();
  const { error } = await main([source, ...OPTIONS], {
    writeFile: (name, contents) => void written.set(name, Buffer.from(contents)),
  });
  assert(error === null, `the hot path does not compile: ${messageOf(error)}`);
  const bytes = written.get("hot-path.wasm");
  assert(bytes !== undefined, "the compiler wrote nothing");
  return bytes;
}

if (import.meta.main) await writeFile(new URL("hot-path.wasm", import.meta.url), await compileHotPath());
