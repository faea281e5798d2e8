/** The facts fit the contract on this machine, and on one that has nothing to read. */

import { deviceFacts } from "@mainstay/contract";
import { expect, test } from "vitest";
import { parseOsRelease, readFacts } from "./facts.ts";

test("this machine's facts are as the contract wants them", async () => {
  const facts = await readFacts();
  expect(deviceFacts.parse(facts)).toEqual(facts);
  expect(facts.memoryBytes).toBeGreaterThan(0);
});

test("a machine without /etc/os-release or /sys still has facts", async () => {
  const facts = await readFacts("/nowhere");
  expect(facts.disks).toEqual([]);
  expect(facts.operatingSystem).not.toBe("");
});

test.each([
  ['NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"],
  ["PRETTY_NAME=Alpine\n", "Alpine"],
  ["PRETTY_NAME='Arch Linux'", "Arch Linux"],
  ['PRETTY_NAME=""\n', undefined],
  ["", undefined],
])("%j", (text, name) => expect(parseOsRelease(text)).toBe(name));
