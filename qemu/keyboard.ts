/** Pressing keys of the machine's keyboard (QEMU's QKeyCode names, US layout). */

import { setTimeout as sleep } from "node:timers/promises";
import { qemuErrors } from "./errors.ts";
import type { Qmp } from "./qmp.ts";

const TEXT_CHARS_MAX = 4_096;
const HOLD_MS = 20;
/** QEMU queues what it is sent; guests under translation lose keys that come quicker than this. */
const PAUSE_MS = 40;

const SHIFTED: Readonly<Record<string, string>> = {
  "!": "1",
  "@": "2",
  "#": "3",
  $: "4",
  "%": "5",
  "^": "6",
  "&": "7",
  "*": "8",
  "(": "9",
  ")": "0",
  _: "minus",
  "+": "equal",
  "{": "bracket_left",
  "}": "bracket_right",
  "|": "backslash",
  ":": "semicolon",
  '"': "apostrophe",
  "~": "grave_accent",
  "<": "comma",
  ">": "dot",
  "?": "slash",
};
const PLAIN: Readonly<Record<string, string>> = {
  " ": "spc",
  "\n": "ret",
  "\t": "tab",
  "-": "minus",
  "=": "equal",
  "[": "bracket_left",
  "]": "bracket_right",
  "\\": "backslash",
  ";": "semicolon",
  "'": "apostrophe",
  "`": "grave_accent",
  ",": "comma",
  ".": "dot",
  "/": "slash",
};

/** Presses all `keys` together, as in `["ctrl", "alt", "delete"]`. */
export async function sendKeys(qmp: Qmp, keys: readonly string[], signal?: AbortSignal): Promise<void> {
  const pressed = keys.map((data) => ({ type: "qcode", data }));
  await qmp.execute("send-key", { keys: pressed, "hold-time": HOLD_MS }, { signal });
  await sleep(HOLD_MS + PAUSE_MS, undefined, { signal });
}

/** Types `text`; a line feed is the Enter key. Rejects with `qemu.keys-refused` before the first key. */
export async function typeText(qmp: Qmp, text: string, signal?: AbortSignal): Promise<void> {
  if (text.length > TEXT_CHARS_MAX)
    throw qemuErrors.error(
      "keys-refused",
      `Cannot type text: found ${text.length} characters, wanted at most ${TEXT_CHARS_MAX}`,
    );
  const presses = Array.from(text, keysOf);
  for (const keys of presses) await sendKeys(qmp, keys, signal);
}

/** The keys that give one character. */
export function keysOf(character: string): readonly string[] {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ["shift", character.toLowerCase()];
  const shifted = SHIFTED[character];
  if (shifted !== undefined) return ["shift", shifted];
  const plain = PLAIN[character];
  if (plain !== undefined) return [plain];
  throw qemuErrors.error(
    "keys-refused",
    `Cannot type text: found ${JSON.stringify(character)}, wanted characters of a US keyboard`,
  );
}
