/** The machine's screen as a PNG picture. */

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import { PNG } from "pngjs";
import type { Waiting } from "./deadline.ts";
import { qemuErrors } from "./errors.ts";
import type { Qmp } from "./qmp.ts";

/** 4K in full colour is 24 MiB as PPM. */
const PICTURE_BYTES_MAX = 128 * MIB;
const PNG_SIGNATURE = "89504e470d0a1a0a";
let picturesTaken = 0;

/** Asks QEMU for the screen through a file in `directory`, which QEMU must be able to write; the file is gone afterwards. */
export async function takeScreenshot(
  qmp: Qmp,
  directory: string,
  waiting: Waiting = {},
): Promise<Uint8Array> {
  const filename = join(directory, `screen-${process.pid}-${(picturesTaken += 1)}`);
  try {
    await dump(qmp, filename, waiting);
    const bytes = await readFile(filename);
    if (bytes.byteLength > PICTURE_BYTES_MAX)
      throw qemuErrors.error(
        "screen-failed",
        `Cannot use screenshot: found ${bytes.byteLength} bytes, wanted at most ${PICTURE_BYTES_MAX}`,
      );
    return bytes.subarray(0, 8).toString("hex") === PNG_SIGNATURE ? bytes : pngOfPpm(bytes);
  } finally {
    await rm(filename, { force: true });
  }
}

/** QEMU builds without libpng know only PPM. */
async function dump(qmp: Qmp, filename: string, waiting: Waiting): Promise<void> {
  try {
    await qmp.execute("screendump", { filename, format: "png" }, waiting);
  } catch (cause) {
    if (!qemuErrors.is(cause, "command-failed")) throw cause;
    await qmp.execute("screendump", { filename }, waiting);
  }
}

/** Binary portable pixmap (netpbm's P6 with 8 bits a channel) → PNG. */
export function pngOfPpm(bytes: Uint8Array): Uint8Array {
  const head = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(
    Buffer.from(bytes.subarray(0, 64)).toString("latin1"),
  );
  const [width, height, start] = [Number(head?.[1]), Number(head?.[2]), head?.[0].length ?? 0];
  if (head === null || bytes.byteLength !== start + width * height * 3) {
    throw qemuErrors.error(
      "screen-failed",
      `Cannot read screenshot: found ${bytes.byteLength} bytes that are not a whole P6 picture`,
    );
  }
  const png = new PNG({ width, height });
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    png.data.set(bytes.subarray(start + pixel * 3, start + pixel * 3 + 3), pixel * 4);
    png.data[pixel * 4 + 3] = 255;
  }
  return PNG.sync.write(png);
}
