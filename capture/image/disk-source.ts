/** Which disks to back up, as declared values. */

import { open } from "node:fs/promises";

export type DiskSource =
  /** A raw file or a block device. */
  | { readonly kind: "raw"; readonly name: string; readonly path: string }
  /** An image file of QEMU that no machine has open. */
  | { readonly kind: "qcow2"; readonly name: string; readonly path: string }
  /** A disk of a running QEMU machine, read while it runs. */
  | { readonly kind: "qemu"; readonly name: string; readonly qmpSocket: string; readonly node: string };

const QCOW2_MAGIC = Buffer.from("QFI\u00FB", "latin1");

/** The kind of an image file, by its first bytes. What cannot be opened is left to the capture to complain about. */
export async function diskKindOf(path: string): Promise<"raw" | "qcow2"> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return "raw";
  try {
    const { buffer } = await file.read(Buffer.alloc(QCOW2_MAGIC.length), 0, QCOW2_MAGIC.length, 0);
    return buffer.equals(QCOW2_MAGIC) ? "qcow2" : "raw";
  } catch {
    return "raw";
  } finally {
    await file.close();
  }
}
