/** The routes of customers and sites. */

import type { Customer, Site } from "@mainstay/contract";
import { appendAudit, type HandlersOf, type Platform, type Tx } from "@mainstay/platform";
import { addCustomer, changeCustomer, listCustomers, readCustomer } from "./customers.ts";
import { addSite, changeSite, listSites, readSite } from "./sites.ts";

export function customerHandlers({ database, clock, live }: Platform): HandlersOf<"customers"> {
  const announce = (tx: Tx, customer: Customer) =>
    live.announce(tx, {
      type: "customer.changed",
      customerId: customer.id,
      deviceId: null,
      subjectId: customer.id,
    });
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listCustomers(tx, query)),
    read: ({ caller, params }) => database.inScope(caller.scope, (tx) => readCustomer(tx, params.customerId)),
    create: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const after = await addCustomer(tx, body.name, clock.now());
        await appendAudit(tx, {
          actor: caller.actor,
          action: "customer.create",
          customerId: after.id,
          subject: customerSubject(after),
          after,
        });
        await announce(tx, after);
        return after;
      }),
    update: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readCustomer(tx, params.customerId);
        const after = await changeCustomer(tx, before, body);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "customer.update",
          customerId: after.id,
          subject: customerSubject(after),
          before,
          after,
        });
        await announce(tx, after);
        return after;
      }),
  };
}

function customerSubject(customer: Customer) {
  return { kind: "customer", id: customer.id, name: customer.name };
}

export function siteHandlers({ database, clock, live }: Platform): HandlersOf<"sites"> {
  const announce = (tx: Tx, site: Site) =>
    live.announce(tx, {
      type: "site.changed",
      customerId: site.customerId,
      deviceId: null,
      subjectId: site.id,
    });
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listSites(tx, query)),
    read: ({ caller, params }) => database.inScope(caller.scope, (tx) => readSite(tx, params.siteId)),
    create: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        await readCustomer(tx, body.customerId);
        const after = await addSite(tx, body, clock.now());
        await appendAudit(tx, {
          actor: caller.actor,
          action: "site.create",
          customerId: after.customerId,
          subject: siteSubject(after),
          after,
        });
        await announce(tx, after);
        return after;
      }),
    update: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readSite(tx, params.siteId);
        const after = await changeSite(tx, before, body);
        await appendAudit(tx, {
          actor: caller.actor,
          action: "site.update",
          customerId: after.customerId,
          subject: siteSubject(after),
          before,
          after,
        });
        await announce(tx, after);
        return after;
      }),
  };
}

function siteSubject(site: Site) {
  return { kind: "site", id: site.id, name: site.name };
}
