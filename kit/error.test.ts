import { expect, test } from "vitest";
import { assert, AssertionError, must, unreachable } from "./assert.ts";
import { defineErrors, MainstayError, messageOf, systemCodeOf } from "./error.ts";

const errors = defineErrors("disk", { full: "There is no room left", gone: "The disk was removed" });

test("an error carries its code, its values and its cause", () => {
  const cause = new Error("ENOSPC");
  const error = errors.error("full", "Cannot write: found 0 bytes free, wanted 10", {
    cause,
    values: { freeBytes: 0 },
  });
  expect(error).toBeInstanceOf(MainstayError);
  expect(error.code).toBe("disk.full");
  expect(error.values).toEqual({ freeBytes: 0 });
  expect(error.cause).toBe(cause);
});

test("an error without a cause has no cause property", () => {
  expect("cause" in errors.error("gone", "Cannot read")).toBe(false);
});

test("a catalogue knows its own errors by name and nobody else's", () => {
  const other = defineErrors("tape", { full: "The tape is at its end" });
  expect(errors.is(errors.error("full", "m"), "full")).toBe(true);
  expect(errors.is(errors.error("full", "m"), "gone")).toBe(false);
  expect(errors.is(other.error("full", "m"), "full")).toBe(false);
  expect(errors.is(new Error("disk.full"), "full")).toBe(false);
});

test("anything thrown has a message; only system errors have a system code", () => {
  expect(messageOf(new Error("broken"))).toBe("broken");
  expect(messageOf("broken")).toBe("broken");
  expect(systemCodeOf(Object.assign(new Error("full"), { code: "ENOSPC" }))).toBe("ENOSPC");
  expect(systemCodeOf(Object.assign(new Error("odd"), { code: 7 }))).toBeUndefined();
  expect(systemCodeOf("ENOSPC")).toBeUndefined();
});

test("a broken assumption throws with the invariant in its message", () => {
  expect(() => assert(false, "packs are never empty")).toThrow(new AssertionError("packs are never empty"));
  expect(() => must(undefined, "the index was loaded")).toThrow("the index was loaded");
  expect(must(0, "zero is a value")).toBe(0);
  // `never` by force: the case a compiler cannot see is a value from outside.
  expect(() => unreachable("violet" as never)).toThrow('unexpected case: "violet"');
});
