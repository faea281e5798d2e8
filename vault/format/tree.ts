/** Trees: the entries of one directory. Source: restic design, "Trees and Data". */

import { idOf, isObjectId, type ObjectId } from "./object-id.ts";
import { quoteName, unquoteName } from "./quoted-name.ts";

export type NodeType = "file" | "dir" | "symlink" | "dev" | "chardev" | "fifo" | "socket" | "irregular";

/** One entry. Times are RFC 3339 with nanoseconds; `mode` has Go's bits. */
export type TreeNode = {
  /** As bytes: names need not be UTF-8. */
  readonly name: Buffer;
  readonly type: NodeType;
  readonly mode: number;
  readonly mtime: string;
  readonly atime: string;
  readonly ctime: string;
  readonly uid: number;
  readonly gid: number;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly inode?: number | undefined;
  readonly deviceId?: number | undefined;
  /** Bytes; of files. */
  readonly size?: number | undefined;
  readonly links?: number | undefined;
  readonly linkTarget?: Buffer | undefined;
  readonly extendedAttributes?: readonly { readonly name: string; readonly value: Buffer }[] | undefined;
  /** Major and minor number, of devices. */
  readonly device?: number | undefined;
  /** Of files: the data blobs, in order. */
  readonly content?: readonly ObjectId[] | undefined;
  /** Of directories. */
  readonly subtree?: ObjectId | undefined;
};

type NodeJson = { [key: string]: unknown };

const NODE_TYPES = new Set(["file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"]);

/** The plaintext of a tree blob; nodes are put in the order of their names' bytes, as restic's reader demands. */
export function encodeTree(nodes: readonly TreeNode[]): Buffer {
  const sorted = [...nodes].sort((left, right) => Buffer.compare(left.name, right.name));
  return Buffer.from(`${JSON.stringify({ nodes: sorted.map(nodeToJson) })}\n`);
}

/** The nodes of a tree blob, or why it is none. */
export function decodeTree(plaintext: Uint8Array): readonly TreeNode[] | string {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length).toString("utf8"));
  } catch (cause) {
    return `it is not JSON: ${String(cause)}`;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
  const nodes = (json as { nodes?: unknown } | null)?.nodes;
  // Go writes an empty list as null.
  if (nodes === null) return [];
  if (!Array.isArray(nodes)) return 'it has no "nodes"';
  const decoded: TreeNode[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
  for (const node of nodes as NodeJson[]) {
    const result = nodeFromJson(node);
    if (typeof result === "string") return result;
    decoded.push(result);
  }
  return decoded;
}

export function treeId(nodes: readonly TreeNode[]): ObjectId {
  return idOf(encodeTree(nodes));
}

function nodeToJson(node: TreeNode): NodeJson {
  const json: NodeJson = { name: quoteName(node.name), type: node.type };
  if (node.mode !== 0) json["mode"] = node.mode;
  Object.assign(json, {
    mtime: node.mtime,
    atime: node.atime,
    ctime: node.ctime,
    uid: node.uid,
    gid: node.gid,
  });
  if (node.user) json["user"] = node.user;
  if (node.group) json["group"] = node.group;
  if (node.inode) json["inode"] = node.inode;
  if (node.deviceId) json["device_id"] = node.deviceId;
  if (node.size) json["size"] = node.size;
  if (node.links) json["links"] = node.links;
  if (node.linkTarget !== undefined) Object.assign(json, linkTargetToJson(node.linkTarget));
  if (node.extendedAttributes && node.extendedAttributes.length > 0) {
    json["extended_attributes"] = node.extendedAttributes.map(({ name, value }) => ({
      name,
      value: value.toString("base64"),
    }));
  }
  if (node.device) json["device"] = node.device;
  // restic writes null, not [], for what has no content, and its reader tells the two apart for empty files.
  json["content"] = node.type === "file" ? (node.content ?? []) : null;
  if (node.subtree !== undefined) json["subtree"] = node.subtree;
  return json;
}

function linkTargetToJson(target: Buffer): NodeJson {
  const text = target.toString("utf8");
  if (Buffer.from(text, "utf8").equals(target)) return { linktarget: text };
  return { linktarget: text, linktarget_raw: target.toString("base64") };
}

function nodeFromJson(json: NodeJson | null): TreeNode | string {
  if (typeof json !== "object" || json === null) return "an entry is not an object";
  const name = typeof json["name"] === "string" ? unquoteName(json["name"]) : undefined;
  if (name === undefined) return "an entry has no name";
  const badName =
    name.length === 0 ||
    name.includes(0x2f) ||
    name.includes(0) ||
    name.equals(Buffer.from("..")) ||
    name.equals(Buffer.from("."));
  // A tree made by an attacker must not lead a restore out of its target.
  if (badName) return `an entry has the forbidden name ${JSON.stringify(json["name"])}`;
  const type = json["type"];
  if (typeof type !== "string" || !NODE_TYPES.has(type))
    return `entry ${String(json["name"])} has no known type`;
  const content = json["content"] ?? undefined;
  if (content !== undefined && !isIdList(content))
    return `entry ${String(json["name"])} has a broken content list`;
  const subtree = json["subtree"] ?? undefined;
  if (subtree !== undefined && !(typeof subtree === "string" && isObjectId(subtree))) {
    return `entry ${String(json["name"])} has a broken subtree`;
  }
  return {
    name,
    // Checked against the set of types above.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    type: type as NodeType,
    mode: number(json["mode"]) ?? 0,
    mtime: text(json["mtime"]),
    atime: text(json["atime"]),
    ctime: text(json["ctime"]),
    uid: number(json["uid"]) ?? 0,
    gid: number(json["gid"]) ?? 0,
    user: optionalText(json["user"]),
    group: optionalText(json["group"]),
    inode: number(json["inode"]),
    deviceId: number(json["device_id"]),
    size: number(json["size"]),
    links: number(json["links"]),
    linkTarget: linkTargetFromJson(json),
    extendedAttributes: attributesFromJson(json["extended_attributes"]),
    device: number(json["device"]),
    content,
    subtree,
  };
}

function linkTargetFromJson(json: NodeJson): Buffer | undefined {
  if (typeof json["linktarget_raw"] === "string") return Buffer.from(json["linktarget_raw"], "base64");
  return typeof json["linktarget"] === "string" ? Buffer.from(json["linktarget"], "utf8") : undefined;
}

function attributesFromJson(value: unknown): TreeNode["extendedAttributes"] {
  if (!Array.isArray(value)) return undefined;
  const attributes = value.filter((attribute) => typeof attribute === "object" && attribute !== null);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked before it is used
  return (attributes as NodeJson[]).map((attribute) => ({
    name: text(attribute["name"]),
    value: Buffer.from(text(attribute["value"]), "base64"),
  }));
}

function isIdList(value: unknown): value is readonly ObjectId[] {
  return Array.isArray(value) && value.every((id) => typeof id === "string" && isObjectId(id));
}

function number(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function optionalText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
