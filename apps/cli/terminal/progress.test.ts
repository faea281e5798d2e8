import { fakeClock } from "@mainstay/kit/testing";
import { expect, test } from "vitest";
import { startProgress } from "./progress.ts";
import { createTerminal, type TerminalMode } from "./terminal.ts";

const MIB = 1024 * 1024;

function watch(mode: TerminalMode, isTTY: boolean) {
  let written = "";
  const write = (text: string | Uint8Array): boolean => ((written += String(text)), true);
  const streams = { output: { write }, error: { write, isTTY, columns: 80 }, input: { isTTY } };
  const clock = fakeClock();
  return { progress: startProgress(createTerminal(mode, streams), clock), clock, written: () => written };
}

test("on a terminal one line rewrites itself with share, amount, rate and time left", () => {
  const { progress, clock, written } = watch("text", true);
  progress.phase("Reading", 100 * MIB);
  clock.advance(1000);
  progress.advance(25 * MIB);
  expect(written().split("\r").at(-1)).toBe(
    "\u001B[KReading   25 %  25 MiB of 100 MiB  25 MiB/s  3.0 s left",
  );
  expect(written()).not.toContain("\n");
  progress.end();
  expect(written().split("\r").at(-1)).toBe("\u001B[KReading  1.0 s  25 MiB  25 MiB/s\n");
});

test("a line never wraps", () => {
  const { progress, written } = watch("text", true);
  progress.phase("x".repeat(200));
  for (const line of written().split("\r\u001B[K")) expect(line.length).toBeLessThan(80);
  progress.end();
});

test("elsewhere there is a plain line now and then and one when a phase ends", () => {
  const { progress, clock, written } = watch("text", false);
  progress.phase("Sending");
  for (let second = 0; second < 60; second += 1) {
    clock.advance(1000);
    progress.advance(MIB);
  }
  progress.phase("Committing");
  progress.end();
  const lines = written().trimEnd().split("\n");
  expect(lines).toEqual([
    "Sending  30 MiB  1 MiB/s",
    "Sending  60 MiB  1 MiB/s",
    "Sending  1 min 00 s  60 MiB  1 MiB/s",
    "Committing  0 ms",
  ]);
});

test("the rate follows the last seconds, not the whole", () => {
  const { progress, clock, written } = watch("text", true);
  progress.phase("Sending", 1000 * MIB);
  for (let second = 0; second < 20; second += 1) {
    clock.advance(1000);
    progress.advance(second < 10 ? 30 * MIB : MIB);
  }
  expect(written().split("\r").at(-1)).toContain("1 MiB/s");
  progress.end();
});

test("a program is told nothing", () => {
  const { progress, clock, written } = watch("json", true);
  progress.phase("Sending", MIB);
  clock.advance(60_000);
  progress.advance(MIB);
  progress.end();
  expect(written()).toBe("");
});
