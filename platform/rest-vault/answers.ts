/** The answers of restic's REST protocol as HTTP responses. */

import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { ListedFile } from "./repository-folder.ts";

const VERSION_1 = "application/vnd.x.restic.rest.v1";
const VERSION_2 = "application/vnd.x.restic.rest.v2";

/** Up to here one read is quicker than a stream; most ranges are single blobs. */
const WHOLE_BYTES_MAX = 1024 * 1024;

export function answerText(response: ServerResponse, status: number, text: string): void {
  const body = text === "" ? "" : `${text}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** Names and sizes for who asks for version 2, else names alone. */
export function answerListing(
  request: IncomingMessage,
  response: ServerResponse,
  files: readonly ListedFile[],
): void {
  const isVersion2 = (request.headers.accept ?? "").includes(VERSION_2);
  const body = JSON.stringify(isVersion2 ? files : files.map(({ name }) => name));
  response.writeHead(200, {
    "content-type": isVersion2 ? VERSION_2 : VERSION_1,
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

export function answerFileHead(response: ServerResponse, sizeBytes: number | undefined): void {
  if (sizeBytes === undefined) return answerText(response, 404, "");
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": sizeBytes,
    "accept-ranges": "bytes",
  });
  response.end();
}

/** The file or the range asked for; closes it. */
export async function answerFile(
  request: IncomingMessage,
  response: ServerResponse,
  handle: FileHandle,
  sizeBytes: number,
): Promise<void> {
  try {
    const range = parseRange(request.headers.range, sizeBytes);
    if (range.kind === "beyond") {
      response.setHeader("content-range", `bytes */${sizeBytes}`);
      return answerText(response, 416, "the range lies beyond the file");
    }
    const { start, end } = range;
    response.writeHead(range.kind === "part" ? 206 : 200, {
      "content-type": "application/octet-stream",
      "content-length": end - start,
      "accept-ranges": "bytes",
      ...(range.kind === "part" && { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` }),
    });
    if (start === end) return void response.end();
    if (end - start <= WHOLE_BYTES_MAX) return void response.end(await readRange(handle, start, end));
    const content = handle.createReadStream({
      start,
      end: end - 1,
      autoClose: false,
      highWaterMark: 256 * 1024,
    });
    await pipeline(content, response);
  } finally {
    await handle.close();
  }
}

async function readRange(handle: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(end - start);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Error("the file became shorter while it was read");
    done += bytesRead;
  }
  return bytes;
}

/** `[start, end)` of the file. */
type Range =
  | { readonly kind: "whole" | "part"; readonly start: number; readonly end: number }
  | { readonly kind: "beyond" };

/** RFC 9110, section 14: one range of bytes. What is not understood, also several ranges, counts as no range. */
export function parseRange(header: string | undefined, sizeBytes: number): Range {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  const whole: Range = { kind: "whole", start: 0, end: sizeBytes };
  if (match === null) return whole;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return whole;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < start) return whole;
  return start >= sizeBytes ? { kind: "beyond" } : { kind: "part", start, end };
}
