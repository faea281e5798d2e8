/** Snapshots: one backup, as restic writes it down. In Mainstay's words a restore point. */

import { isObjectId, type ObjectId } from "./object-id.ts";

export type Snapshot = {
  readonly id: ObjectId;
  /** RFC 3339, as the writer gave it. */
  readonly time: string;
  readonly tree: ObjectId;
  readonly parent?: ObjectId | undefined;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly tags: readonly string[];
  readonly excludes?: readonly string[] | undefined;
  readonly programVersion?: string | undefined;
  /** The snapshot that this one is a rewritten or copied form of. */
  readonly original?: ObjectId | undefined;
};

export function snapshotToJson(snapshot: Omit<Snapshot, "id">): unknown {
  const { programVersion, tags, excludes, uid, gid, ...rest } = { uid: 0, gid: 0, ...snapshot };
  return {
    ...rest,
    uid,
    gid,
    ...(excludes && excludes.length > 0 ? { excludes } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    ...(programVersion === undefined ? {} : { program_version: programVersion }),
  };
}

/** Throws on anything else than a snapshot. */
export function snapshotFromJson(id: ObjectId, json: unknown): Snapshot {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked below
  const value = (json ?? {}) as { readonly [key: string]: unknown };
  const { time, tree } = value;
  if (typeof time !== "string" || Number.isNaN(Date.parse(time))) throw new Error("the snapshot has no time");
  if (typeof tree !== "string" || !isObjectId(tree)) throw new Error("the snapshot has no tree");
  return {
    id,
    time,
    tree,
    parent: optionalId(value["parent"]),
    paths: texts(value["paths"]),
    hostname: optionalText(value["hostname"]) ?? "",
    username: optionalText(value["username"]) ?? "",
    tags: texts(value["tags"]),
    excludes: texts(value["excludes"]),
    programVersion: optionalText(value["program_version"]),
    original: optionalId(value["original"]),
  };
}

function optionalId(value: unknown): ObjectId | undefined {
  return typeof value === "string" && isObjectId(value) ? value : undefined;
}

function optionalText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
