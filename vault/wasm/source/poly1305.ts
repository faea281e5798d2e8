// Poly1305 (RFC 8439, section 2.5): h = (h + block) * r mod 2^130 - 5 over 16 byte blocks, then + s mod 2^128.
//
// WebAssembly has no 64 x 64 -> 128 bit multiplication, so numbers are four limbs of 32 bits and a small fifth. The clamp of
// r (each limb below 2^28, limbs 1 to 3 divisible by 4) lets four products be added in 64 bits even while a limb of h is
// as large as 2^33.7, so message words are added without carrying first, and 2^130 = 5 folds back as r * 5/4.

import { KEY_AT, TAG_AT, TAIL_AT } from "./layout";

const LOW: u64 = 0xffffffff;

let h0: u64 = 0;
let h1: u64 = 0;
let h2: u64 = 0;
let h3: u64 = 0;
let h4: u64 = 0;

/** Begins a message; the key lies at KEY_AT. */
export function polyStart(): void {
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  h4 = 0;
}

/** Takes in `length` bytes at `at`; only the last call of a message may have a length that 16 does not divide. */
export function polyUpdate(at: usize, length: usize): void {
  const whole = length & ~15;
  absorb(at, at + whole, 1);
  const rest = length - whole;
  if (rest == 0) return;
  memory.fill(TAIL_AT, 0, 16);
  memory.copy(TAIL_AT, at + whole, rest);
  store<u8>(TAIL_AT + rest, 1);
  absorb(TAIL_AT, TAIL_AT + 16, 0);
}

function absorb(from: usize, to: usize, topBit: u64): void {
  const r0: u64 = load<u32>(KEY_AT) & 0x0fffffff;
  const r1: u64 = load<u32>(KEY_AT, 4) & 0x0ffffffc;
  const r2: u64 = load<u32>(KEY_AT, 8) & 0x0ffffffc;
  const r3: u64 = load<u32>(KEY_AT, 12) & 0x0ffffffc;
  const s1 = r1 + (r1 >> 2);
  const s2 = r2 + (r2 >> 2);
  const s3 = r3 + (r3 >> 2);
  let a0 = h0;
  let a1 = h1;
  let a2 = h2;
  let a3 = h3;
  let a4 = h4;
  for (let at = from; at < to; at += 16) {
    a0 += load<u32>(at);
    a1 += load<u32>(at, 4);
    a2 += load<u32>(at, 8);
    a3 += load<u32>(at, 12);
    a4 += topBit;
    const d0 = a0 * r0 + a1 * s3 + (a2 * s2 + a3 * s1);
    const d1 = a0 * r1 + a1 * r0 + (a2 * s3 + a3 * s2) + (a4 * s1 + (d0 >> 32));
    const d2 = a0 * r2 + a1 * r1 + (a2 * r0 + a3 * s3) + a4 * s2 + (d1 >> 32);
    const d3 = a0 * r3 + a1 * r2 + (a2 * r1 + a3 * r0) + a4 * s3 + (d2 >> 32);
    const d4 = a4 * r0 + (d3 >> 32);
    a0 = (d0 & LOW) + (d4 >> 2) * 5;
    a1 = d1 & LOW;
    a2 = d2 & LOW;
    a3 = d3 & LOW;
    a4 = d4 & 3;
  }
  h0 = a0;
  h1 = a1;
  h2 = a2;
  h3 = a3;
  h4 = a4;
}

/** Writes the tag to TAG_AT. Takes the same path for every value, so that its time tells nothing. */
export function polyFinish(): void {
  carry();
  carry();
  // The number is below 2^130; it is at least 2^130 - 5 exactly if adding 5 reaches bit 130.
  const c0 = h0 + 5;
  const c1 = h1 + (c0 >> 32);
  const c2 = h2 + (c1 >> 32);
  const c3 = h3 + (c2 >> 32);
  const isOver: u64 = (h4 + (c3 >> 32)) >> 2;
  const reduced: u64 = 0 - isOver;
  let sum = ((c0 & reduced) | (h0 & ~reduced)) & LOW;
  sum += load<u32>(KEY_AT, 16);
  store<u32>(TAG_AT, <u32>sum);
  sum = (sum >> 32) + (((c1 & reduced) | (h1 & ~reduced)) & LOW) + load<u32>(KEY_AT, 20);
  store<u32>(TAG_AT, <u32>sum, 4);
  sum = (sum >> 32) + (((c2 & reduced) | (h2 & ~reduced)) & LOW) + load<u32>(KEY_AT, 24);
  store<u32>(TAG_AT, <u32>sum, 8);
  sum = (sum >> 32) + (((c3 & reduced) | (h3 & ~reduced)) & LOW) + load<u32>(KEY_AT, 28);
  store<u32>(TAG_AT, <u32>sum, 12);
}

function carry(): void {
  h1 += h0 >> 32;
  h2 += h1 >> 32;
  h3 += h2 >> 32;
  h4 += h3 >> 32;
  h0 = (h0 & LOW) + (h4 >> 2) * 5;
  h1 &= LOW;
  h2 &= LOW;
  h3 &= LOW;
  h4 &= 3;
}
