/** What can be found wrong without running anything: types, lint, format. */

import { execFile } from "node:child_process";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../../..");

export type StaticCheck = {
  readonly name: string;
  /** What to run to mend or to look closer. */
  readonly wayOut: string;
  /** The script, relative to the root, and its arguments; run on our own Node. */
  readonly words: readonly [script: string, ...rest: string[]];
};

export const STATIC_CHECKS: readonly StaticCheck[] = [
  {
    name: "types",
    wayOut: "npm run types",
    words: ["node_modules/typescript/bin/tsc", "--noEmit", "-p", "tsconfig.json"],
  },
  {
    name: "types of the console",
    wayOut: "npm run types",
    words: ["node_modules/typescript/bin/tsc", "--noEmit", "-p", "apps/console"],
  },
  {
    name: "lint",
    wayOut: "npm run lint",
    words: ["node_modules/oxlint/bin/oxlint", "--type-aware", "--format=unix"],
  },
  {
    name: "format",
    wayOut: "npm run format",
    words: ["node_modules/oxfmt/bin/oxfmt", "--check"],
  },
];

export type CheckResult = { readonly passed: boolean; readonly output: string };

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;

export async function runStaticCheck(check: StaticCheck, signal: AbortSignal): Promise<CheckResult> {
  const options = { cwd: ROOT, signal, maxBuffer: OUTPUT_BYTES_MAX, env: { ...process.env, NO_COLOR: "1" } };
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, check.words, options, (cause, output, errors) => {
      if (signal.aborted) reject(signal.reason);
      else resolve({ passed: cause === null, output: `${output}${errors}`.trim() });
    });
    child.stdin?.end();
  });
}
