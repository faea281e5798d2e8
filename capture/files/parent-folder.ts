/** The same folder in the parent restore point, to know unchanged files without reading them. */

import { readTree, type ObjectId, type Repository, type TreeNode } from "@mainstay/vault";

export type ParentFolder = {
  /** Reads the folder now, so that nobody waits for it later. */
  load(): Promise<void>;
  file(name: Buffer): Promise<TreeNode | undefined>;
  folder(name: Buffer): Promise<ParentFolder | undefined>;
};

/** Read when first asked. A tree that cannot be read is as if it were empty: everything in it is read anew. */
export function openParentFolder(repository: Repository, tree: ObjectId): ParentFolder {
  let entries: Promise<ReadonlyMap<string, TreeNode>> | undefined;
  const read = (): Promise<ReadonlyMap<string, TreeNode>> =>
    (entries ??= readTree(repository, tree).then(
      // latin1 keeps every byte apart, which UTF-8 would not for names that are not UTF-8.
      (nodes) => new Map(nodes.map((node) => [node.name.toString("latin1"), node])),
      () => new Map(),
    ));
  const find = async (name: Buffer): Promise<TreeNode | undefined> =>
    (await read()).get(name.toString("latin1"));
  return {
    load: async () => void (await read()),
    file: async (name) => find(name),
    folder: async (name) => {
      const node = await find(name);
      return node?.subtree === undefined ? undefined : openParentFolder(repository, node.subtree);
    },
  };
}
