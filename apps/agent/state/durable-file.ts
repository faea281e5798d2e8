/** Small files that are either wholly the old or wholly the new after a crash. */

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { systemCodeOf } from "@mainstay/kit";
import { agentErrors } from "../errors.ts";

/** Readable by the owner alone: what the agent keeps opens backups. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Resolves when the content is durable under the name. */
export async function writeDurably(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.new`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: FOLDER_MODE });
    const handle = await open(temporary, "w", FILE_MODE);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

/** The content, or `undefined` if there is no such file. */
export async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw agentErrors.error(
      "state-damaged",
      `Cannot read "${file}": ${systemCodeOf(cause) ?? String(cause)}; check the disk and the folder's owner`,
      { cause, values: { file } },
    );
  }
}

/** Succeeds if the file is not there. */
export async function removeDurably(file: string): Promise<void> {
  try {
    await rm(file, { force: true });
    await syncFolder(path.dirname(file));
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

/** Without it a rename may be lost with the power, though the file's bytes are safe. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function unwritable(file: string, cause: unknown): Error {
  return agentErrors.error(
    "state-unwritable",
    `Cannot write "${file}": ${systemCodeOf(cause) ?? String(cause)}; make room or correct the folder's owner`,
    { cause, values: { file } },
  );
}
