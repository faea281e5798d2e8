/**
 * The server's side after the handshake: many requests under way at once, answered as they finish.
 *
 * What a connection may hold in memory is bounded: when the limits are reached no more is read from the socket, so
 * that a client which asks without reading the answers slows down itself and nobody else.
 */

import {
  COMMAND,
  REQUEST_BYTES_MAX,
  REQUEST_HEADER_BYTES,
  REQUEST_MAGIC,
  type RequestHeader,
  decodeRequest,
} from "./protocol.ts";
import { type Reply, errnoOf, failure, perform, refusalOf } from "./server-commands.ts";
import type { Session } from "./server-handshake.ts";
import type { Wire } from "./wire.ts";

export type TransmissionLimits = {
  /** Requests of one connection that are under way or whose answer is not yet sent. */
  readonly requestsMax: number;
  /** Bytes of data that they hold. */
  readonly bytesMax: number;
};

export const DEFAULT_LIMITS: TransmissionLimits = { requestsMax: 128, bytesMax: 2 * REQUEST_BYTES_MAX };

/** A request that the device failed; told so that someone hears of it besides the guest. */
export type DeviceFailure = {
  readonly exportName: string;
  readonly command: string;
  readonly offset: number;
  readonly length: number;
  readonly cause: unknown;
};

export type TransmissionOptions = {
  readonly limits: TransmissionLimits;
  readonly onDeviceFailure: (failure: DeviceFailure) => void;
};

type Incoming = {
  readonly request: RequestHeader;
  /** Where the payload goes; `undefined` if it is thrown away because the request is refused. */
  readonly payload: Uint8Array | undefined;
  filled: number;
};

const NO_PAYLOAD = new Uint8Array(0);

export class Transmission {
  /** Settles (never rejects) when all that was accepted is answered and the connection is closed. */
  readonly done: Promise<void>;

  readonly #wire: Wire;
  readonly #session: Session;
  readonly #options: TransmissionOptions;
  #incoming: Incoming | undefined;
  #requests = 0;
  #bytes = 0;
  #isPaused = false;
  /** No further request is read; the connection closes when those under way are answered. */
  #isDraining = false;

  constructor(wire: Wire, session: Session, options: TransmissionOptions) {
    this.#wire = wire;
    this.#session = session;
    this.#options = options;
    this.done = wire.closed;
    wire.onBytes(() => this.#pump());
    this.#pump();
  }

  /** Takes no further request, answers those under way, then closes. May be called twice. */
  drain(): void {
    this.#isDraining = true;
    this.#dropIncoming();
    this.#endIfIdle();
  }

  #pump(): void {
    while (!this.#isDraining) {
      const step = this.#incoming === undefined ? this.#takeHeader() : this.#takePayload(this.#incoming);
      if (step === "wait") break;
    }
    // A client that has stopped sending may still wait for answers.
    if (this.#wire.ended && !this.#isPaused) this.drain();
  }

  #takeHeader(): "go on" | "wait" {
    if (this.#requests >= this.#options.limits.requestsMax || this.#bytes >= this.#options.limits.bytesMax) {
      this.#isPaused = true;
      this.#wire.socket.pause();
      return "wait";
    }
    const bytes = this.#wire.take(REQUEST_HEADER_BYTES);
    if (bytes === undefined) return "wait";
    const request = decodeRequest(bytes);
    if (request.magic !== REQUEST_MAGIC) {
      // What follows cannot be told apart any more.
      this.#isDraining = true;
      this.#wire.destroy();
    } else if (request.type === COMMAND.disconnect) this.drain();
    else this.#accept(request);
    return "go on";
  }

  #accept(request: RequestHeader): void {
    const isWrite = request.type === COMMAND.write;
    const refusal = refusalOf(this.#session, request);
    this.#requests += 1;
    this.#bytes += heldBytes(request, refusal !== undefined);
    if (isWrite && request.length > 0) {
      const payload = refusal === undefined ? Buffer.allocUnsafeSlow(request.length) : undefined;
      this.#incoming = { request, payload, filled: 0 };
    } else this.#start(request, NO_PAYLOAD);
  }

  #takePayload(incoming: Incoming): "go on" | "wait" {
    const { request, payload } = incoming;
    incoming.filled +=
      payload === undefined
        ? this.#wire.skip(request.length - incoming.filled)
        : this.#wire.fill(payload, incoming.filled);
    if (incoming.filled < request.length) return "wait";
    this.#incoming = undefined;
    this.#start(request, payload ?? NO_PAYLOAD);
    return "go on";
  }

  /** A write whose payload will not come counts no more; nothing of it reached the device. */
  #dropIncoming(): void {
    if (this.#incoming === undefined) return;
    this.#release(this.#incoming.request, this.#incoming.payload === undefined);
    this.#incoming = undefined;
  }

  #release(request: RequestHeader, isRefused: boolean): void {
    this.#requests -= 1;
    this.#bytes -= heldBytes(request, isRefused);
  }

  #start(request: RequestHeader, payload: Uint8Array): void {
    const refusal = refusalOf(this.#session, request);
    if (refusal !== undefined) {
      this.#finish(request, failure(this.#session, request.handle, refusal, "request refused"), true);
      return;
    }
    perform(this.#session, request, payload).then(
      (reply) => this.#finish(request, reply, false),
      (cause: unknown) => {
        this.#options.onDeviceFailure({
          exportName: this.#session.exportName,
          command: commandName(request.type),
          offset: request.offset,
          length: request.length,
          cause,
        });
        this.#finish(request, failure(this.#session, request.handle, errnoOf(cause), cause), false);
      },
    );
  }

  #finish(request: RequestHeader, reply: Reply, isRefused: boolean): void {
    this.#wire.send(reply, () => {
      this.#release(request, isRefused);
      this.#resume();
      this.#endIfIdle();
    });
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#wire.socket.resume();
    this.#pump();
  }

  #endIfIdle(): void {
    if (!this.#isDraining || this.#requests > 0) return;
    if (this.#wire.socket.destroyed) return;
    // What the client still sends is read and dropped, or it would never see the end of the connection.
    this.#wire.socket.end(() => this.#wire.destroy());
  }
}

function heldBytes(request: RequestHeader, isRefused: boolean): number {
  const carriesData = request.type === COMMAND.read || request.type === COMMAND.write;
  return carriesData && !isRefused ? request.length : 0;
}

function commandName(type: number): string {
  return Object.entries(COMMAND).find(([, value]) => value === type)?.[0] ?? String(type);
}
