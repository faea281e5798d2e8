// Where everything lies in the one linear memory. `hot-path.ts` of the loader repeats SCRATCH and the key and tag places.

/** r and s of Poly1305, 16 bytes each; the finished tag takes the place of s. */
export const KEY_AT: usize = 0x400;
export const TAG_AT: usize = 0x420;
/** The last, partial block of a message, padded. */
export const TAIL_AT: usize = 0x440;
/** Rabin tables, 256 u64 each. */
export const MODULUS_TABLE_AT: usize = 0x1000;
export const LEAVING_TABLE_AT: usize = 0x1800;
/** Input is copied here in pieces. */
export const SCRATCH_AT: usize = 0x10000;
