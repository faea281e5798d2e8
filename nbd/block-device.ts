/** A disk as a value: what the NBD server serves and the NBD client gives. */

/** A run of bytes that are alike; `zero` reads as zeros and holds no data. */
export type Extent = { readonly offset: number; readonly length: number; readonly kind: "data" | "zero" };

/**
 * All offsets and lengths are bytes and lie within `sizeBytes`; the caller checks.
 * Every method may run beside others; overlapping writes have no order unless awaited.
 */
export type BlockDevice = {
  readonly sizeBytes: number;
  readonly writable: boolean;

  /** Whether `writeZeroes` costs little however long the range is. Absent means no. */
  readonly zeroesAreFast?: boolean;

  /** Exactly `length` bytes, owned by the caller. Rejects rather than ever giving wrong bytes. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;

  /** What is known of the range without reading data: extents that cover it whole, in order, without overlap. */
  extents(offset: number, length: number): Promise<readonly Extent[]>;

  /** Durable only after `flush`. Rejects if not `writable`. The bytes must not change until it settles. */
  write(offset: number, bytes: Uint8Array): Promise<void>;

  /** Like writing zeros, without the bytes. */
  writeZeroes(offset: number, length: number): Promise<void>;

  /** The range is no longer needed: afterwards it reads as before or as zeros. Absent means that nothing is gained. */
  trim?(offset: number, length: number): Promise<void>;

  /** Resolves when all writes acknowledged before the call survive a crash. */
  flush(): Promise<void>;

  /** Ends the device; may be called twice. What lies below it (a device given to it) stays open. */
  close(): Promise<void>;
};
