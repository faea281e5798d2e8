/** Where GRUB's pieces are told to find each other. That they do is shown by the boot in sample-server.test.ts. */

import { expect, test } from "vitest";
import { bootCodeFrom, grubConfiguration, placedCoreImage } from "./grub.ts";

test("the boot code loads the core image's first sector and leaves the partition table's room alone", () => {
  const code = bootCodeFrom(new Uint8Array(512).fill(0xee));
  expect(code.length).toBe(440);
  const view = new DataView(code.buffer);
  expect(view.getBigUint64(0x5c, true)).toBe(1n);
  expect(view.getUint16(0x66, true)).toBe(0x9090);
  expect(code[0x5b]).toBe(0xee);
  expect(code[0x68]).toBe(0xee);
});

test.each([
  [513, 1],
  [1024, 1],
  [1025, 2],
  [60_000, 117],
])("a core image of %i bytes lists %i sectors after its first", (length, rest) => {
  const placed = placedCoreImage(new Uint8Array(length).fill(0xee));
  const view = new DataView(placed.buffer);
  expect(placed.length).toBe((rest + 1) * 512);
  expect(view.getBigUint64(500, true)).toBe(2n);
  expect(view.getUint16(508, true)).toBe(rest);
});

test("the menu waits for nobody and hands both kernels the same words", () => {
  const menu = grubConfiguration("root=UUID=x rw");
  expect(menu).toContain("set timeout=0");
  expect(menu).toContain("linux /boot/vmlinuz.$kernel root=UUID=x rw\n");
});
