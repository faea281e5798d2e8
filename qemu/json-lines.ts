/** A stream of JSON texts, one per line, from a peer that may be hostile: capped, and broken for good by the first bad line. */

import { qemuErrors } from "./errors.ts";
import { asRecord, type JsonRecord } from "./json-shape.ts";

const NEWLINE = 0x0a;
/** The guest agent sends this byte before the answer to `guest-sync-delimited`. */
const AGENT_SENTINEL = 0xff;

export type JsonLines = {
  /** Takes the next bytes; calls `take` for each complete line. Throws `qemu.protocol-broken`. */
  push(bytes: Uint8Array): void;
};

export function jsonLines(
  peer: string,
  lineBytesMax: number,
  take: (message: JsonRecord) => void,
): JsonLines {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const finishLine = (): void => {
    const line = Buffer.concat(held).toString("utf8").trim();
    held = [];
    heldBytes = 0;
    if (line !== "") take(parseLine(peer, line));
  };
  const hold = (part: Uint8Array): void => {
    heldBytes += part.byteLength;
    if (heldBytes > lineBytesMax) throw tooLong(peer, lineBytesMax);
    if (part.byteLength > 0) held.push(part);
  };
  return {
    push: (bytes) => {
      let rest = bytes;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        hold(rest.subarray(0, end));
        finishLine();
        rest = rest.subarray(end + 1);
      }
      hold(rest);
    },
  };
}

function parseLine(peer: string, line: string): JsonRecord {
  const text = line.startsWith("\ufffd") ? line.replace(/^\ufffd+/, "") : line;
  try {
    return asRecord(JSON.parse(text), `a message of ${peer}`);
  } catch (cause) {
    throw qemuErrors.error(
      "protocol-broken",
      `Cannot read ${peer}: found ${JSON.stringify(line.slice(0, 120))}, wanted JSON`,
      {
        cause,
      },
    );
  }
}

function tooLong(peer: string, lineBytesMax: number): Error {
  return qemuErrors.error(
    "protocol-broken",
    `Cannot read ${peer}: a message is longer than ${lineBytesMax} bytes`,
  );
}

/** What makes the guest agent's own parser start afresh. */
export const agentResetByte = Uint8Array.of(AGENT_SENTINEL);
