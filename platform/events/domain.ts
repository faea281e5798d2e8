/**
 * What one module tells and flows react to, inside the transaction that made it so: teller and listeners commit together or
 * not at all. Modules never call each other; `apps/server/flows/` subscribes.
 */

import type { Tx } from "../database/database.ts";

export type DomainEvent<Body> = {
  /** `module.what-happened`, such as `directory.device-approved`. */
  readonly name: string;
  /** Carries the type only. */
  readonly body?: Body;
};

export type DomainEvents = {
  /** Awaits every listener, in the order they subscribed; a listener that rejects undoes the whole transaction. */
  emit<Body>(tx: Tx, event: DomainEvent<Body>, body: Body): Promise<void>;
  on<Body>(event: DomainEvent<Body>, listener: (tx: Tx, body: Body) => Promise<void>): void;
};

export function createDomainEvents(): DomainEvents {
  const listeners = new Map<string, ((tx: Tx, body: never) => Promise<void>)[]>();
  return {
    emit: async (tx, event, body) => {
      // `on` is the only way in, and it ties the listener's body to the event's.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      for (const listener of listeners.get(event.name) ?? []) await listener(tx, body as never);
    },
    on: (event, listener) => {
      const known = listeners.get(event.name) ?? [];
      known.push(listener);
      listeners.set(event.name, known);
    },
  };
}
