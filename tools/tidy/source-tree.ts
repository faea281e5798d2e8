/** The project's own files as values, so that the rules are functions of a tree and are tested on small ones. */

import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export type SourceTree = {
  /** Text files by their path from the root, `/` between; installed, built and binary files are left out. */
  readonly files: ReadonlyMap<string, string>;
  /** Every package, by its folder. */
  readonly packages: ReadonlyMap<string, Package>;
};

export type Package = {
  readonly folder: string;
  /** Such as `@mainstay/vault`. */
  readonly name: string;
  /** What `exports` lists: `.` → `vault/index.ts`. */
  readonly doors: ReadonlyMap<string, string>;
  readonly dependencies: readonly string[];
};

export type Finding = { readonly path: string; readonly line?: number; readonly message: string };

const FOLDERS_LEFT_OUT = new Set(["node_modules", "dist", ".git", ".cache", ".vitest"]);
const TEXT_FILE =
  /(?:\.(?:tsx?|mts|js|css|html|json|md|sh|sql|yml|yaml|conf)|\/run|\/mainstay|\/LICENSE|rc)$/;
const FILE_BYTES_MAX = 2 * 1024 * 1024;

export async function readSourceTree(root: string): Promise<SourceTree> {
  const entries = await listFiles(root, "");
  const files = new Map<string, string>();
  for (const path of entries) {
    if (!TEXT_FILE.test(`/${path}`)) continue;
    const bytes = await readFile(join(root, path));
    if (bytes.length <= FILE_BYTES_MAX && !bytes.includes(0)) files.set(path, bytes.toString("utf8"));
  }
  return sourceTree(files);
}

async function listFiles(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const none: Promise<readonly string[]> = Promise.resolve([]);
  const paths = await Promise.all(
    entries.map((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return FOLDERS_LEFT_OUT.has(entry.name) ? none : listFiles(root, path);
      return entry.isFile() ? Promise.resolve([path]) : none;
    }),
  );
  return paths.flat();
}

/** The tree of these files; packages are found by their `package.json`. */
export function sourceTree(files: ReadonlyMap<string, string>): SourceTree {
  const manifests = [...files.keys()].filter((path) => path.endsWith("/package.json"));
  const packages = manifests.map((path) => readPackage(dirname(path), files.get(path) ?? "{}"));
  return { files, packages: new Map(packages.map((each) => [each.folder, each])) };
}

function readPackage(folder: string, text: string): Package {
  const manifest: unknown = JSON.parse(text);
  const doors = Object.entries(recordIn(manifest, "exports")).map(
    ([door, file]) => [door, `${folder}/${String(file).replace(/^\.\//, "")}`] as const,
  );
  const kinds = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
  const dependencies = kinds.flatMap((kind) => Object.keys(recordIn(manifest, kind)));
  return { folder, name: String(fieldIn(manifest, "name")), doors: new Map(doors), dependencies };
}

function recordIn(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const field = fieldIn(value, name);
  return typeof field === "object" && field !== null ? { ...field } : {};
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

/** The package a file belongs to; `undefined` for the files of the root. */
export function packageOf(tree: SourceTree, path: string): Package | undefined {
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    const found = tree.packages.get(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path);
}

/** Made by a program or kept as somebody else made it: not held to our style. */
export function isGiven(path: string): boolean {
  return /\.golden\.|\/testdata\/|^package-lock\.json$|^LICENSE$/.test(path);
}
