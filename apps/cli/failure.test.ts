import { defineErrors } from "@mainstay/kit";
import { expect, test } from "vitest";
import { cliErrors } from "./errors.ts";
import { describeFailure, type FailureContext } from "./failure.ts";

const context: FailureContext = { mode: "text", interruptedStatus: undefined, withStack: false };
const disk = defineErrors("disk", { full: "There is no room left" });

test("a failure of the world is its message, status 1, without a stack", () => {
  const error = disk.error("full", "Cannot write: found 0 bytes free, wanted 10; free some");
  expect(describeFailure(error, context)).toEqual({
    status: 1,
    lines: ["mainstay: Cannot write: found 0 bytes free, wanted 10; free some"],
  });
});

test("wrong usage and a missing program are status 2", () => {
  expect(describeFailure(cliErrors.error("usage", "Cannot run"), context).status).toBe(2);
  expect(describeFailure(cliErrors.error("missing-packages", "Cannot start"), context).status).toBe(2);
});

test("a program gets code, message and values", () => {
  const error = disk.error("full", "Cannot write", { values: { freeBytes: 0 } });
  const { lines } = describeFailure(error, { ...context, mode: "json" });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { error: { code: "disk.full", message: "Cannot write", values: { freeBytes: 0 } } },
  ]);
});

test("a system error keeps its words; anything else is called a defect of ours", () => {
  const system = Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES" });
  expect(describeFailure(system, context).lines[0]).toBe("mainstay: EACCES: permission denied, open '/x'");
  expect(describeFailure(new TypeError("x is undefined"), context).lines[0]).toContain(
    "a defect in Mainstay",
  );
});

test("an interrupted command says nothing more and exits like a program ended by that signal", () => {
  const abort = new DOMException("This operation was aborted", "AbortError");
  expect(describeFailure(abort, { ...context, interruptedStatus: 130 })).toEqual({ status: 130, lines: [] });
});

test("a stack is shown when asked for, with those of its causes", () => {
  const error = disk.error("full", "Cannot write", { cause: new Error("ENOSPC") });
  const text = describeFailure(error, { ...context, withStack: true }).lines.join("\n");
  expect(text).toContain("failure.test.ts");
  expect(text).toContain("caused by Error: ENOSPC");
});
