/** A socket as both sides of the protocol use it: bytes come in as asked for, replies go out in few system calls. */

import type { Socket } from "node:net";

import { assert } from "@mainstay/kit";

import { nbdErrors } from "./errors.ts";

type Waiter = {
  readonly length: number;
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (cause: Error) => void;
};

/**
 * While shaking hands, one `read` at a time is awaited. Afterwards `onBytes` is called whenever bytes have come, and
 * takes what it wants with `take`, `fill` and `skip`, which never wait.
 */
export class Wire {
  readonly socket: Socket;
  /** Settles (never rejects) when the connection is gone. */
  readonly closed: Promise<void>;
  /** The other side will send nothing more; what it sent may still be answered. */
  ended = false;

  readonly #chunks: Buffer[] = [];
  /** How much of the first chunk is used up. */
  #used = 0;
  #available = 0;
  #waiter: Waiter | undefined;
  #onBytes: (() => void) | undefined;
  #isCorked = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.ended = true;
        this.#failWaiter();
        resolve();
        this.#onBytes?.();
      });
    });
    // Every error is followed by "close", which tells all who wait.
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.once("end", () => {
      this.ended = true;
      this.#failWaiter();
      this.#onBytes?.();
    });
  }

  /**
   * For sockets that read into one buffer again and again (`onread`), which spares an allocation per read: takes
   * `chunk`, and copies what nobody has used by the end of the call.
   */
  receiveShared(chunk: Buffer): void {
    this.#receive(chunk);
    const last = this.#chunks.pop();
    if (last === undefined) return;
    const isOnly = this.#chunks.length === 0;
    this.#chunks.push(Buffer.from(isOnly ? last.subarray(this.#used) : last));
    if (isOnly) this.#used = 0;
  }

  /** Exactly `length` bytes; rejects with `nbd.disconnected` if they never come. One call at a time. */
  read(length: number): Promise<Buffer> {
    assert(this.#waiter === undefined, "a wire has one reader");
    const bytes = this.take(length);
    // A copy, as the caller looks at it later, when the view may have changed.
    if (bytes !== undefined) return Promise.resolve(Buffer.from(bytes));
    if (this.ended) return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      this.#waiter = { length, resolve, reject };
    });
  }

  /** Ends the waiting style: from now on `listener` is called when bytes have come and when the other side ended. */
  onBytes(listener: () => void): void {
    this.#onBytes = listener;
  }

  /** `length` bytes in one piece, if they are all here. The buffer may be a view; do not keep it. */
  take(length: number): Buffer | undefined {
    if (this.#available < length) return undefined;
    const first = this.#chunks[0];
    if (first !== undefined && first.length - this.#used >= length) {
      const view = first.subarray(this.#used, this.#used + length);
      this.#advance(first, length);
      return view;
    }
    const joined = Buffer.allocUnsafe(length);
    this.fill(joined, 0);
    return joined;
  }

  /** Moves what is here into `target` from `at` on; how many bytes that were. */
  fill(target: Uint8Array, at: number): number {
    let filled = 0;
    for (;;) {
      const first = this.#chunks[0];
      const room = target.length - at - filled;
      if (first === undefined || room === 0) return filled;
      const count = Math.min(room, first.length - this.#used);
      first.copy(target, at + filled, this.#used, this.#used + count);
      this.#advance(first, count);
      filled += count;
    }
  }

  /** Throws away up to `length` bytes; how many that were. */
  skip(length: number): number {
    let skipped = 0;
    for (;;) {
      const first = this.#chunks[0];
      if (first === undefined || skipped === length) return skipped;
      const count = Math.min(length - skipped, first.length - this.#used);
      this.#advance(first, count);
      skipped += count;
    }
  }

  /** Sends `parts` in order; those of one turn of the event loop leave together. `onSent` is called in every case. */
  send(parts: readonly Uint8Array[], onSent?: () => void): void {
    if (!this.socket.writable) {
      onSent?.();
      return;
    }
    this.#corkForThisTurn();
    const last = parts.length - 1;
    for (const [index, part] of parts.entries()) {
      this.socket.write(part, index === last && onSent !== undefined ? onSent : undefined);
    }
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    this.#wake();
  }

  #corkForThisTurn(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.socket.uncork();
    });
  }

  #advance(first: Buffer, count: number): void {
    this.#available -= count;
    this.#used += count;
    if (this.#used < first.length) return;
    this.#chunks.shift();
    this.#used = 0;
  }

  #wake(): void {
    if (this.#waiter === undefined) {
      this.#onBytes?.();
      return;
    }
    const bytes = this.take(this.#waiter.length);
    if (bytes === undefined) return;
    const { resolve } = this.#waiter;
    this.#waiter = undefined;
    resolve(Buffer.from(bytes));
  }

  #failWaiter(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(disconnected());
  }
}

const disconnected = (): Error =>
  nbdErrors.error("disconnected", "Cannot go on with the NBD connection: the other side closed it");
