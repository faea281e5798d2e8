/** The lock file stands for the manifests as they are: what is installed is what was asked for. */

import type { Finding, SourceTree } from "./source-tree.ts";

const LOCK_FILE = "package-lock.json";
const KINDS = ["dependencies", "devDependencies", "optionalDependencies"] as const;

export function lockFindings(tree: SourceTree): readonly Finding[] {
  const lock = tree.files.get(LOCK_FILE);
  if (lock === undefined) return [];
  const locked = objectIn(JSON.parse(lock), "packages");
  const folders = ["", ...tree.packages.keys()];
  return folders.flatMap((folder) => {
    const path = folder === "" ? "package.json" : `${folder}/package.json`;
    const manifest: unknown = JSON.parse(tree.files.get(path) ?? "{}");
    const differs = KINDS.some(
      (kind) => sorted(objectIn(manifest, kind)) !== sorted(objectIn(locked[folder], kind)),
    );
    if (!differs) return [];
    return [
      {
        path,
        message: `lists other packages than ${LOCK_FILE} has for it; run "npm install --ignore-scripts" and commit both`,
      },
    ];
  });
}

function objectIn(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const found: unknown = entries.find(([key]) => key === name)?.[1];
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function sorted(record: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(record).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
