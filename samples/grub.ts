/**
 * GRUB without its installer, which wants a block device: the boot code, the core image right behind it, and the menu.
 *
 * Source: GRUB 2.06, `grub-core/boot/i386/pc/{boot,diskboot}.S` and `include/grub/i386/pc/boot.h` for the offsets.
 */

import { assert } from "@mainstay/kit";
import { BOOT_CODE_BYTES_MAX, SECTOR_BYTES } from "./partition-table.ts";

/** Where the core image begins. */
export const CORE_START_SECTOR = 1;

const KERNEL_SECTOR_OFFSET = 0x5c;
const DRIVE_CHECK_OFFSET = 0x66;

/** The last entry of the list, at the end of the core image's first sector, of where the rest of it lies. */
const BLOCK_LIST_OFFSET = SECTOR_BYTES - 12;

/** `boot.img` for a hard disk whose core image begins at {@link CORE_START_SECTOR}; at most 440 bytes. */
export function bootCodeFrom(bootImage: Uint8Array): Uint8Array {
  assert(bootImage.length === SECTOR_BYTES, "GRUB's boot.img is one sector");
  const code = bootImage.slice(0, BOOT_CODE_BYTES_MAX);
  const view = new DataView(code.buffer);
  view.setBigUint64(KERNEL_SECTOR_OFFSET, BigInt(CORE_START_SECTOR), true);
  // Two no-operations in place of a jump: as GRUB's installer does for hard disks, against BIOSes that pass a wrong drive.
  view.setUint16(DRIVE_CHECK_OFFSET, 0x9090, true);
  return code;
}

/** The core image with the list of its sectors filled in for {@link CORE_START_SECTOR}, padded to whole sectors. */
export function placedCoreImage(coreImage: Uint8Array): Uint8Array {
  const sectors = Math.ceil(coreImage.length / SECTOR_BYTES);
  assert(sectors >= 2, "GRUB's core image is longer than its loader");
  const placed = new Uint8Array(sectors * SECTOR_BYTES);
  placed.set(coreImage);
  const view = new DataView(placed.buffer);
  view.setBigUint64(BLOCK_LIST_OFFSET, BigInt(CORE_START_SECTOR + 1), true);
  view.setUint16(BLOCK_LIST_OFFSET + 8, sectors - 1, true);
  return placed;
}

/**
 * The menu, which waits for nobody. Debian's kernel for virtual machines unpacks in a tenth of the time but knows only
 * virtual disks and cards, so it is taken when the machine shows both; anything else gets the full kernel.
 */
export function grubConfiguration(commandLine: string): string {
  return `set timeout=0
setpci -v disk_legacy -d 1af4:1001 0.w
setpci -v disk_modern -d 1af4:1042 0.w
setpci -v card_legacy -d 1af4:1000 0.w
setpci -v card_modern -d 1af4:1041 0.w
set kernel=full
if [ -n "$disk_legacy$disk_modern" ]; then
  if [ -n "$card_legacy$card_modern" ]; then
    set kernel=virtual
  fi
fi

menuentry "Debian GNU/Linux" {
  linux /boot/vmlinuz.$kernel ${commandLine}
  initrd /boot/initrd.$kernel
}
`;
}
