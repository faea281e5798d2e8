/**
 * A firmware of 192 bytes that says whether a virtual machine really runs at processor speed.
 *
 * A `/dev/kvm` that opens proves nothing: some nested hosts offer it, run firmware through an instruction emulator, and
 * then hang as soon as a stock kernel enters long mode. So this program does what a kernel does: it sets up page tables,
 * enters 64-bit mode, counts down from fifty million, and ends the machine through the debug-exit port. Hardware needs
 * about 0.02 s for it, translation (TCG) 0.1 s, an instruction emulator minutes.
 */

const FIRMWARE_BYTES = 64 * 1024;
const RESET_VECTOR = 0xfff0;

/** The port of `isa-debug-exit` that the program writes to, and the exit status that QEMU then gives: (0x4b << 1) | 1. */
export const probeExitPort = 0xf4;
export const probeExitStatus = 151;

/** Offset 0 of the firmware, reached at F000:0000 in 16-bit mode. */
const PROGRAM = [
  "fafc", // cli; cld
  "31c08ec0bf0010b90018f3ab8ed8", // es = ds = 0; clear 0x1000-0x4000 for the page tables
  "66c706001003200000", // PML4[0] at 0x1000 -> 0x2000, present and writable
  "66c706002003300000", // PDPT[0] at 0x2000 -> 0x3000
  "66c706003083000000", // PD[0] at 0x3000 -> one page of 2 MiB at 0
  "b800f08ed8be4400bf0080b97200f3a4", // copy what follows the jump to 0x8000
  "31c08ed8ea00800000", // ds = 0; jump to 0000:8000
  "660f01166c80", // lgdt
  "0f20e06683c8200f22e0", // CR4.PAE
  "66b8001000000f22d8", // CR3 = 0x1000
  "66b9800000c00f32660d000100000f30", // EFER.LME
  "0f20c0660d010000800f22c0", // CR0.PG and CR0.PE
  "66ea3d8000000800", // far jump into the 64-bit segment
  "b980f0fa02ffc975fc", // ecx = 50,000,000; count down to zero
  "66ba0204b04bee", // write K to the debug console
  "66baf400ee", // end the machine: status (0x4b << 1) | 1
  "f4ebfd", // should nobody listen: halt for ever
  "8db400008d7400", // fills up to a multiple of eight
  "0000000000000000ffff0000009baf00", // descriptors: none; 64-bit code
  "0f005c800000", // the descriptor table's limit and address
].join("");

const JUMP_TO_PROGRAM = "ea000000f0";

/** The whole ROM, for `-bios`. */
export function accelerationProbeFirmware(): Uint8Array {
  const firmware = new Uint8Array(FIRMWARE_BYTES);
  firmware.set(Buffer.from(PROGRAM, "hex"), 0);
  firmware.set(Buffer.from(JUMP_TO_PROGRAM, "hex"), RESET_VECTOR);
  return firmware;
}
