/** What a source captures, in a line. */

import type { CaptureSource } from "@mainstay/contract";

export const SOURCE_KINDS: Readonly<Record<CaptureSource["kind"], string>> = {
  raw: "Disk or raw image",
  qcow2: "QCOW2 image",
  qemu: "Disk of a running QEMU machine",
  files: "Files and folders",
};

export const SOURCE_KIND_LIST = ["raw", "qcow2", "qemu", "files"] as const;

export function sourceWords(source: CaptureSource): string {
  switch (source.kind) {
    case "raw":
    case "qcow2":
      return `${SOURCE_KINDS[source.kind]} ${source.path}`;
    case "qemu":
      return `Running QEMU machine, node ${source.node} through ${source.qmpSocket}`;
    case "files":
      return source.paths.join(", ");
  }
}
