/** File modes as restic's trees hold them: Go's `os.FileMode` bits, against the `st_mode` of POSIX. */

const GO_BITS = [
  { go: 0x8000_0000, posix: 0o040000, format: true }, // directory
  { go: 0x0800_0000, posix: 0o120000, format: true }, // symbolic link
  { go: 0x0420_0000, posix: 0o020000, format: true }, // character device
  { go: 0x0400_0000, posix: 0o060000, format: true }, // block device
  { go: 0x0200_0000, posix: 0o010000, format: true }, // named pipe
  { go: 0x0100_0000, posix: 0o140000, format: true }, // socket
  { go: 0x0080_0000, posix: 0o4000, format: false }, // set user id
  { go: 0x0040_0000, posix: 0o2000, format: false }, // set group id
  { go: 0x0010_0000, posix: 0o1000, format: false }, // sticky
] as const;

const POSIX_FORMAT_MASK = 0o170000;

/** `st_mode` → Go's bits. */
export function goModeOf(posixMode: number): number {
  let mode = posixMode & 0o777;
  for (const bit of GO_BITS) {
    const present = bit.format
      ? (posixMode & POSIX_FORMAT_MASK) === bit.posix
      : (posixMode & bit.posix) !== 0;
    if (present) mode += bit.go;
  }
  return mode;
}

/** Go's bits → permission bits with set-id and sticky, as `chmod` takes them. */
export function permissionsOf(goMode: number): number {
  let permissions = goMode & 0o777;
  for (const bit of GO_BITS) {
    // Unsigned shift: the directory bit is the sign bit of a 32-bit integer.
    if (!bit.format && (goMode & bit.go) >>> 0 === bit.go) permissions |= bit.posix;
  }
  return permissions;
}
