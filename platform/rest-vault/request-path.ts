/** What a request of restic's REST protocol speaks of. Its path is hostile: only known shapes pass. */

export const FILE_KINDS = ["data", "keys", "locks", "snapshots", "index"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

export type Target =
  | { readonly kind: "repository" }
  | { readonly kind: "config" }
  | { readonly kind: "listing"; readonly of: FileKind }
  | { readonly kind: "file"; readonly of: FileKind; readonly name: string };

export type RequestPath = { readonly repository: string; readonly target: Target };

/** Repositories may lie in folders: `customer/device`. */
const SEGMENTS_MAX = 4;

/** No dot at the start, so neither `..` nor hidden files; nothing that needs percent signs. */
const SEGMENT_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const NAME_PATTERN = /^[0-9a-f]{64}$/;

/**
 * Reads a path such as `/customer/device/data/0123…`, below the place where the vault is mounted. `undefined` if it is
 * nothing of the protocol. A repository cannot bear the name of a kind, or a path would have two meanings.
 */
export function parseRequestPath(path: string): RequestPath | undefined {
  const segments = path.split("/");
  if (segments.shift() !== "") return undefined;
  const target = takeTarget(segments);
  if (target === undefined || segments.length < 1 || segments.length > SEGMENTS_MAX) return undefined;
  const isName = (segment: string): boolean => SEGMENT_PATTERN.test(segment) && !isReserved(segment);
  return segments.every(isName) ? { repository: segments.join("/"), target } : undefined;
}

/** Takes the end that belongs to the protocol off the segments. */
function takeTarget(segments: string[]): Target | undefined {
  const last = segments.pop();
  if (last === "config") return { kind: "config" };
  const before = segments.at(-1);
  const of = FILE_KINDS.find((kind) => kind === before);
  if (of === undefined) return last === "" ? { kind: "repository" } : undefined;
  segments.pop();
  if (last === "") return { kind: "listing", of };
  return last !== undefined && NAME_PATTERN.test(last) ? { kind: "file", of, name: last } : undefined;
}

function isReserved(segment: string): boolean {
  return segment === "config" || FILE_KINDS.some((kind) => kind === segment);
}
