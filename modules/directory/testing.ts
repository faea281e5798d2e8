/** For tests: a customer with a site and a device in it. */

import type { CustomerId, Device, SiteId } from "@mainstay/contract";
import type { Platform } from "@mainstay/platform";
import { addCustomer } from "./customers.ts";
import { addDevice } from "./devices.ts";
import { addSite } from "./sites.ts";

export type TestCustomer = {
  readonly customerId: CustomerId;
  readonly siteId: SiteId;
  readonly device: Device;
};

/** Adds them without audit; `name` must be new. */
export function addTestCustomer({ database, clock }: Platform, name: string): Promise<TestCustomer> {
  return database.asSystem("test customer", async (tx) => {
    const customer = await addCustomer(tx, name, clock.now());
    const site = await addSite(
      tx,
      { customerId: customer.id, name: "Main", timeZone: "Europe/Berlin" },
      clock.now(),
    );
    const device = await addDevice(
      tx,
      { customerId: customer.id, siteId: site.id, name: `${name} server`, kind: "server", state: "active" },
      clock.now(),
    );
    return { customerId: customer.id, siteId: site.id, device };
  });
}
