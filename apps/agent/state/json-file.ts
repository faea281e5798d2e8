/** A value of a known shape, kept in one durable file. */

import type * as z from "zod";
import { agentErrors } from "../errors.ts";
import { readIfThere, removeDurably, writeDurably } from "./durable-file.ts";

export type JsonFile<Value> = {
  /** `undefined`: not there. A file that does not hold the shape is `agent.state-damaged`. */
  read(): Promise<Value | undefined>;
  write(value: Value): Promise<void>;
  remove(): Promise<void>;
};

/** Turns the bytes of a file into other bytes and back; `open` throws on bytes that `seal` did not make. */
export type Seal = { seal(plain: Uint8Array): Uint8Array; open(sealed: Uint8Array): Uint8Array };

const PLAIN: Seal = { seal: (plain) => plain, open: (sealed) => sealed };

export function jsonFile<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  seal: Seal = PLAIN,
): JsonFile<z.output<Schema>> {
  return {
    read: async () => {
      const bytes = await readIfThere(file);
      if (bytes === undefined) return undefined;
      try {
        return schema.parse(JSON.parse(Buffer.from(seal.open(bytes)).toString("utf8")));
      } catch (cause) {
        throw agentErrors.error(
          "state-damaged",
          `Cannot read "${file}": it does not hold what this agent writes; remove it, and the agent starts it anew`,
          { cause, values: { file } },
        );
      }
    },
    write: (value) => writeDurably(file, seal.seal(Buffer.from(JSON.stringify(value), "utf8"))),
    remove: () => removeDurably(file),
  };
}
