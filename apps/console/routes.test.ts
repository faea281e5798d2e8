/** The addresses of the console, as people bookmark them: a change here is a change for them. */

import { expect, it } from "vitest";
import { routeTree } from "./routes.tsx";

type Node = {
  readonly children?: readonly Node[];
  readonly options: { readonly path?: string; readonly id?: string };
};

function addressesOf(node: Node, before: string, guard: string): readonly string[] {
  const path =
    node.options.path === undefined ? before : `${before}/${node.options.path}`.replace(/\/+/g, "/");
  const within = node.options.id ?? guard;
  const children = node.children ?? [];
  if (children.length === 0) return [`${path.padEnd(42)}${within}`];
  return children.flatMap((child) => addressesOf(child, path, within));
}

it("lists every address and who may open it", async () => {
  // The router's own tree type is far wider than what is read here.
  const addresses = addressesOf(routeTree as unknown as Node, "", "anyone");
  await expect(`${addresses.join("\n")}\n`).toMatchFileSnapshot("routes.golden.txt");
});
