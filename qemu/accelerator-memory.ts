/**
 * What a trial of KVM found, kept until the next start of this machine: a trial that fails takes seconds, and a recovery
 * must not wait for the same answer each time.
 */

import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isRecord } from "./json-shape.ts";
import type { Accelerator } from "./accelerator.ts";

const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";
const QEMU_PATH = "/usr/bin/qemu-system-x86_64";

/** What was found since this machine started, with the QEMU that is installed now; else `undefined`. */
export async function recallAccelerator(): Promise<Accelerator | undefined> {
  try {
    const kept: unknown = JSON.parse(await readFile(memoryPath(), "utf8"));
    if (!isRecord(kept) || kept["circumstances"] !== (await circumstances())) return undefined;
    const { kind, reason } = kept;
    return (kind === "kvm" || kind === "tcg") && typeof reason === "string" ? { kind, reason } : undefined;
  } catch {
    return undefined;
  }
}

/** Never rejects: not remembering costs another trial. */
export async function rememberAccelerator(found: Accelerator): Promise<void> {
  try {
    const path = memoryPath();
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    await writeFile(
      `${path}.${process.pid}`,
      JSON.stringify({ circumstances: await circumstances(), ...found }),
    );
    await rename(`${path}.${process.pid}`, path);
  } catch {
    // A read-only home.
  }
}

function memoryPath(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mainstay", "accelerator.json");
}

/** The trial's answer holds while neither the kernel nor QEMU changes, nor who asks. */
async function circumstances(): Promise<string> {
  const { mtimeMs } = await stat(QEMU_PATH);
  return [(await readFile(BOOT_ID_PATH, "utf8")).trim(), mtimeMs, process.getuid?.()].join("/");
}
