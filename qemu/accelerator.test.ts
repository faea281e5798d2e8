import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { accelerationProbeFirmware } from "./accelerator-probe.ts";
import { detectAccelerator, runProbe } from "./accelerator.ts";

afterEach(() => {
  delete process.env["MAINSTAY_ACCELERATOR"];
});

describe("detectAccelerator", () => {
  test("runs the trial guest to its end under translation", async () => {
    expect(await runProbe("tcg", 10_000)).toBeUndefined();
  });

  test("says what happened when the trial guest does not get through", async () => {
    expect(await runProbe("tcg", 1)).toMatch(/did not get through 64-bit mode within 0.001 s/);
  });

  test("gives a kind with its reason, and the same answer again without another trial", async () => {
    const first = await detectAccelerator();
    expect(["kvm", "tcg"]).toContain(first.kind);
    expect(first.reason).not.toBe("");
    // The very same object: another trial would make another.
    expect(await detectAccelerator()).toBe(first);
  });

  test("obeys MAINSTAY_ACCELERATOR and refuses words it does not know", async () => {
    process.env["MAINSTAY_ACCELERATOR"] = "kvm";
    expect(await detectAccelerator()).toEqual({ kind: "kvm", reason: "MAINSTAY_ACCELERATOR=kvm" });
    process.env["MAINSTAY_ACCELERATOR"] = "warp";
    expect(() => detectAccelerator()).toThrow(/found MAINSTAY_ACCELERATOR="warp", wanted kvm or tcg/);
  });

  test("the trial firmware is the one that was assembled", () => {
    const digest = createHash("sha256").update(accelerationProbeFirmware()).digest("hex");
    expect(digest).toBe("49fd2dc646c178d2596f6153a5c91d7071fa91779df4ab2cb9eefde800b3b7e8");
  });
});
