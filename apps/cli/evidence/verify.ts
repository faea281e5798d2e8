/** `mainstay evidence verify`: checks an exported ledger with the file and a public key alone. */

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { messageOf } from "@mainstay/kit";
import { cliErrors } from "../errors.ts";
import { defineCommand } from "../command.ts";

const HEAD_PATTERN = /^(\d+):([0-9a-f]{64})$/;

export const command = defineCommand({
  details:
    "Needs neither server nor network. Without --key the file's own key is used, which shows only that the file agrees with itself: compare the fingerprint with the one the provider gave you.",
  arguments: [{ name: "FILE", about: "exported ledger (JSON lines)" }],
  options: {
    key: { about: "public key that must have signed it, base64url", value: "KEY" },
    head: {
      about: "the chain's end as a report printed it: finds a file that was cut",
      value: "SEQUENCE:HASH",
    },
  },
  json: "the verdict: {state: intact, records, head, …} or {state: broken, fault, line, sequence, message}",
  examples: ["evidence verify evidence.jsonl --key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"],
  run: async ({ options, arguments: [file], terminal }) => {
    const { fingerprintOf, verifyEvidence } = await import("@mainstay/protection");
    const expectedHead = parseHead(options.head);
    const verdict = await verifyEvidence(linesOf(file), { publicKey: options.key, expectedHead });
    terminal.result(verdict);
    if (verdict.state === "broken") {
      const where = verdict.sequence === undefined ? `line ${verdict.line}` : `record ${verdict.sequence}`;
      terminal.print(`BROKEN at ${where}: ${verdict.message} (${verdict.fault})`);
      return 1;
    }
    const trusted =
      options.key === undefined ? "by the file's own key; compare its fingerprint" : "by the key given";
    terminal.print(
      `Intact: ${verdict.records} ${verdict.records === 1 ? "record" : "records"}, signed ${trusted}`,
    );
    terminal.print(`Key ${verdict.publicKey}, fingerprint ${fingerprintOf(verdict.publicKey)}`);
    terminal.print(`Head ${verdict.head.sequence}:${verdict.head.hash}, exported ${verdict.exportedAt}`);
    return 0;
  },
});

function parseHead(
  text: string | undefined,
): { readonly sequence: number; readonly hash: string } | undefined {
  if (text === undefined) return undefined;
  const match = HEAD_PATTERN.exec(text);
  if (match !== null) return { sequence: Number(match[1]), hash: match[2] ?? "" };
  throw cliErrors.error(
    "usage",
    `Cannot read --head: found "${text}", wanted SEQUENCE:HASH as a report prints it`,
  );
}

/** A file that cannot be read is wrong usage, not broken evidence. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const stream = createReadStream(file, { encoding: "utf8" });
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (cause) {
    throw cliErrors.error(
      "usage",
      `Cannot read "${file}": ${messageOf(cause)}; give the path of an exported ledger`,
      { cause },
    );
  } finally {
    stream.destroy();
  }
}
