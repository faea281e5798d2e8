import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { compileHotPath } from "./build.ts";

test("the committed module is what the source compiles to", async () => {
  const committed = await readFile(new URL("hot-path.wasm", import.meta.url));
  const compiled = await compileHotPath();
  expect(Buffer.from(compiled).equals(committed), "run node vault/wasm/build.ts").toBe(true);
});

test("the module's memory cannot grow", async () => {
  const module = new WebAssembly.Module(await readFile(new URL("hot-path.wasm", import.meta.url)));
  const { exports } = new WebAssembly.Instance(module);
  expect(() => (exports["memory"] as WebAssembly.Memory).grow(1)).toThrow(RangeError);
  expect(WebAssembly.Module.imports(module)).toEqual([]);
});
