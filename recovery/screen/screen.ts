/** What a screenshot shows: its fingerprint, whether it is blank, the text on it. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { messageOf, MIB, systemCodeOf } from "@mainstay/kit";
import { PNG } from "pngjs";
import { recoveryErrors } from "../errors.ts";

const PICTURE_BYTES_MAX = 128 * MIB;
const PIXELS_MAX = 7680 * 4320;
const OCR_TIMEOUT_MS = 30_000;
const TEXT_CHARS_MAX = 64 * 1024;
/** A blinking text cursor is under this share of a screen; a single word is over it. */
const BLANK_SHARE_MAX = 0.0002;
const COLOUR_DISTANCE = 24;
/** Tesseract wants letters about 30 pixels tall; text screens have 16. */
const OCR_SCALE = 2;
const OCR_SCALE_WIDTH_MAX = 1400;

export type Screen = {
  readonly png: Uint8Array;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly blank: boolean;
};

/** Decodes nothing twice: keep the result. Throws `recovery.screen-unreadable`. */
export function examineScreen(png: Uint8Array): Screen {
  const picture = decode(png);
  const sha256 = createHash("sha256").update(png).digest("hex");
  return { png, sha256, width: picture.width, height: picture.height, blank: isBlank(picture) };
}

/** The text on the screen, by tesseract. Rejects with `recovery.not-installed`, `.screen-unreadable`. */
export async function recogniseText(png: Uint8Array, signal?: AbortSignal): Promise<string> {
  return runTesseract(PNG.sync.write(preparedForReading(decode(png))), signal);
}

function decode(png: Uint8Array): PNG {
  try {
    const header = Buffer.from(png);
    const pixels = header.byteLength >= 24 ? header.readUInt32BE(16) * header.readUInt32BE(20) : Infinity;
    if (png.byteLength > PICTURE_BYTES_MAX || pixels > PIXELS_MAX)
      throw new Error(`${png.byteLength} bytes for ${pixels} pixels`);
    return PNG.sync.read(header);
  } catch (cause) {
    throw recoveryErrors.error(
      "screen-unreadable",
      `Cannot read screenshot: found ${messageOf(cause)}, wanted a PNG of at most 8K`,
      { cause },
    );
  }
}

function isBlank(picture: PNG): boolean {
  const { data } = picture;
  const pixels = picture.width * picture.height;
  const background = [0, 1, 2].map((channel) => channelMode(data, channel));
  let differing = 0;
  for (let at = 0; at < data.length; at += 4) {
    const distance =
      Math.abs((data[at] ?? 0) - (background[0] ?? 0)) +
      Math.abs((data[at + 1] ?? 0) - (background[1] ?? 0)) +
      Math.abs((data[at + 2] ?? 0) - (background[2] ?? 0));
    if (distance > COLOUR_DISTANCE) differing += 1;
  }
  return differing / pixels <= BLANK_SHARE_MAX;
}

/** The commonest value of one channel. */
function channelMode(data: Uint8Array, channel: number): number {
  const counts = new Uint32Array(256);
  for (let at = channel; at < data.length; at += 4) {
    const value = data[at] ?? 0;
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts.indexOf(counts.reduce((most, count) => Math.max(most, count), 0));
}

/** Dark letters on white, large: what the recogniser was trained on. */
function preparedForReading(picture: PNG): PNG {
  const scale = picture.width <= OCR_SCALE_WIDTH_MAX ? OCR_SCALE : 1;
  const isDark = channelMode(picture.data, 1) < 128;
  const large = new PNG({ width: picture.width * scale, height: picture.height * scale });
  for (let y = 0; y < large.height; y += 1) {
    const row = Math.floor(y / scale) * picture.width;
    for (let x = 0; x < large.width; x += 1) {
      const from = (row + Math.floor(x / scale)) * 4;
      const { data } = picture;
      const grey = Math.max(data[from] ?? 0, data[from + 1] ?? 0, data[from + 2] ?? 0);
      large.data.fill(isDark ? 255 - grey : grey, (y * large.width + x) * 4, (y * large.width + x) * 4 + 3);
      large.data[(y * large.width + x) * 4 + 3] = 255;
    }
  }
  return large;
}

function runTesseract(png: Uint8Array, signal: AbortSignal | undefined): Promise<string> {
  const limit = AbortSignal.timeout(OCR_TIMEOUT_MS);
  // One thread: it shares the host with the machine that it looks at.
  const child = spawn("tesseract", ["stdin", "stdout", "--psm", "6"], {
    env: { ...process.env, OMP_THREAD_LIMIT: "1" },
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    stdio: ["pipe", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let [text, words] = ["", ""];
    child.once("error", (cause) => reject(signal?.aborted === true ? signal.reason : ocrFailure(cause)));
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => (text = (text + bytes.toString()).slice(0, TEXT_CHARS_MAX)));
    child.stderr.on("data", (bytes: Buffer) => (words = (words + bytes.toString()).slice(-500)));
    child.once("close", (status) =>
      status === 0 ? resolve(text.trim()) : reject(ocrFailure(new Error(words.trim() || `status ${status}`))),
    );
    child.stdin.end(png);
  });
}

function ocrFailure(cause: Error): Error {
  if (systemCodeOf(cause) === "ENOENT")
    return recoveryErrors.error(
      "not-installed",
      'Cannot read the screen: tesseract is not installed; run "apt-get install tesseract-ocr"',
      { cause },
    );
  return recoveryErrors.error(
    "screen-unreadable",
    `Cannot read the screen: tesseract says "${cause.message}"`,
    { cause },
  );
}
