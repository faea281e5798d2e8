/** Names of repository files: what is valid, how they are laid out in folders, how messages speak of them. */

import { assert } from "@mainstay/kit";
import type { FileRef } from "./backend.ts";

const NAME_PATTERN = /^[0-9a-f]{64}$/;

/** Whether a file found in a folder is one of the repository's; half-written ones and strangers are not. */
export function isFileName(name: string): boolean {
  return NAME_PATTERN.test(name);
}

/** `data/0123…`, `config`: for messages, and as the path in restic's REST protocol. */
export function pathOf({ kind, name }: FileRef): string {
  if (kind === "config") {
    assert(name === "", "the config file has no name of its own");
    return "config";
  }
  assert(isFileName(name), `a file of kind ${kind} is named by 64 hexadecimal digits`);
  return `${kind}/${name}`;
}

/** `data/01/0123…`: restic spreads packs over 256 folders, named by the first two digits. */
export function folderPathOf(file: FileRef): string {
  const path = pathOf(file);
  return file.kind === "data" ? `data/${file.name.slice(0, 2)}/${file.name}` : path;
}

/** The bytes of all parts together. */
export function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Whether the stored file consists of exactly these parts. */
export function holds(stored: Uint8Array, parts: readonly Uint8Array[]): boolean {
  if (stored.length !== sizeOf(parts)) return false;
  let at = 0;
  for (const part of parts) {
    if (Buffer.compare(stored.subarray(at, at + part.length), part) !== 0) return false;
    at += part.length;
  }
  return true;
}
