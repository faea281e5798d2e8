import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import { startMachine } from "@mainstay/qemu";
import { bootSector } from "@mainstay/qemu/testing";
import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { recoveryErrors } from "../errors.ts";
import { examineScreen, recogniseText } from "./screen.ts";

test("reads the text on a real machine's screen, and tells it from a blank one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mainstay-screen-test-"));
  const path = join(directory, "disk.raw");
  await writeFile(path, bootSector("Recovered server is ready\r\nlogin: "));
  await truncate(path, MIB);
  const disks = [{ source: { kind: "file", path, format: "raw" }, bus: "virtio" }] as const;
  const machine = await startMachine({
    name: "screen",
    memoryBytes: 64 * MIB,
    cpus: 1,
    disks,
    firmware: "bios",
    network: { kind: "none" },
  });
  await machine.serial.waitFor(/login:/);
  const png = await machine.screenshot();
  await machine.stop();
  const screen = examineScreen(png);
  expect(screen).toMatchObject({
    blank: false,
    sha256: execFileSync("sha256sum", { input: png }).toString().slice(0, 64),
  });
  expect(await recogniseText(png)).toMatch(/Recovered server is ready\s+login:/);
  await rm(directory, { recursive: true });
});

test("a screen with nothing but a text cursor is blank", () => {
  const picture = new PNG({ width: 720, height: 400 });
  for (let at = 3; at < picture.data.length; at += 4) picture.data[at] = 255;
  for (let x = 0; x < 9; x += 1) picture.data.fill(200, (14 * 720 + x) * 4, (14 * 720 + x) * 4 + 3);
  expect(examineScreen(PNG.sync.write(picture)).blank).toBe(true);
});

test("what is no picture is a typed error", async () => {
  expect(() => examineScreen(Buffer.from("not a picture"))).toThrow(/Cannot read screenshot/);
  await expect(recogniseText(Buffer.alloc(100))).rejects.toSatisfy((cause) =>
    recoveryErrors.is(cause, "screen-unreadable"),
  );
});
