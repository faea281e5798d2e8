/** What the directory tells, inside the transaction that made it so. */

import type { Device } from "@mainstay/contract";
import type { DomainEvent } from "@mainstay/platform";

/** A device became active: by approval, by an automatic token, or added without agent. */
export const deviceActivated: DomainEvent<Device> = { name: "directory.device-activated" };
/** A device came in and waits for approval. */
export const deviceEnrolled: DomainEvent<Device> = { name: "directory.device-enrolled" };
export const deviceArchived: DomainEvent<Device> = { name: "directory.device-archived" };
export const deviceChanged: DomainEvent<Device> = { name: "directory.device-changed" };
