/** The directory as a module: its tables, its routes, and the door that other modules and the agents' endpoint use. */

import type { Customer, CustomerId, Device, DeviceId, Site, SiteId } from "@mainstay/contract";
import type { ModuleDeclaration, ModuleParts, Platform, Tx } from "@mainstay/platform";
import { findDeviceByKey, forgetConnections, recordSighting, type AgentSighting } from "./agents.ts";
import { customerHandlers, siteHandlers } from "./customer-handlers.ts";
import { allCustomersOf, readCustomer } from "./customers.ts";
import { deviceHandlers, enrolmentTokenHandlers, tellChange } from "./device-handlers.ts";
import { allDevicesOf, readDevice, type DeviceFilter } from "./devices.ts";
import { enrolDevice, type EnrolRequest } from "./enrolment.ts";
import { deviceActivated, deviceEnrolled } from "./events.ts";
import { allSitesOf, readSite } from "./sites.ts";

export const directoryDeclaration: ModuleDeclaration = {
  name: "directory",
  migrations: new URL("./migrations/", import.meta.url),
  needs: [],
};

/** Every read sees only the scope of its transaction; `read…` throws `request.not-found`. */
export type Directory = {
  readCustomer(tx: Tx, id: CustomerId): Promise<Customer>;
  readSite(tx: Tx, id: SiteId): Promise<Site>;
  readDevice(tx: Tx, id: DeviceId): Promise<Device>;
  listCustomers(tx: Tx): Promise<readonly Customer[]>;
  listSites(tx: Tx): Promise<readonly Site[]>;
  listDevices(tx: Tx, filter?: DeviceFilter): Promise<readonly Device[]>;
  /** For the agents' endpoint, after the key is proven; with the whole scope. Throws `directory.token-refused`. */
  enrolDevice(tx: Tx, request: EnrolRequest): Promise<Device>;
  findDeviceByKey(tx: Tx, key: string): Promise<Device | undefined>;
  recordSighting(tx: Tx, id: DeviceId, sighting: AgentSighting): Promise<void>;
};

export type DirectoryModule = ModuleParts & { readonly door: Directory };

export function createDirectory(platform: Platform): DirectoryModule {
  return {
    name: "directory",
    handlers: {
      customers: customerHandlers(platform),
      sites: siteHandlers(platform),
      devices: deviceHandlers(platform),
      enrolmentTokens: enrolmentTokenHandlers(platform),
    },
    door: doorOf(platform),
    start: () => platform.database.asSystem("forget connections", forgetConnections),
  };
}

function doorOf(platform: Platform): Directory {
  return {
    readCustomer,
    readSite,
    readDevice,
    listCustomers: allCustomersOf,
    listSites: allSitesOf,
    listDevices: allDevicesOf,
    enrolDevice: async (tx, request) => {
      const { device, isNew } = await enrolDevice(tx, request, platform.clock.now());
      if (!isNew) return device;
      const actor = { kind: "agent", id: device.id, name: device.name } as const;
      const event = device.state === "active" ? deviceActivated : deviceEnrolled;
      return tellChange(platform, tx, { actor, action: "device.enrol", after: device, event });
    },
    findDeviceByKey,
    recordSighting: async (tx, id, sighting) => {
      await recordSighting(tx, id, sighting);
      const { customerId } = await readDevice(tx, id);
      await platform.live.announce(tx, { type: "device.changed", customerId, deviceId: id, subjectId: id });
    },
  };
}
