/** A guest of one sector for tests: it writes a greeting to the screen and the serial line, then waits. */

const SECTOR_BYTES = 512;
const TEXT_OFFSET = 0x40;
const SIGNATURE_OFFSET = 510;
const TEXT_BYTES_MAX = 256;

/** 16-bit code, loaded by the firmware at 0000:7C00. */
const PROGRAM = [
  "31c08ed8be407cfb", // ds = 0; si = the text; interrupts on, so that the last halt can end
  "ac84c07413", // next character; a zero ends the text
  "88c3b40eb700b307cd10", // BIOS: teletype output on the screen
  "8a44ffbaf803ee", // the same character to the first serial port
  "ebe8", // again
  "f4ebfd", // halt for ever
].join("");

/** The first sector of a disk that any PC firmware boots; the disk may be of any size and hold anything after it. */
export function bootSector(greeting = "mainstay test guest\r\nlogin: "): Uint8Array {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.set(Buffer.from(PROGRAM, "hex"), 0);
  sector.write(greeting.slice(0, TEXT_BYTES_MAX), TEXT_OFFSET, "latin1");
  sector.writeUInt16LE(0xaa55, SIGNATURE_OFFSET);
  return sector;
}
