/** A device is approved, changed or archived → its connected agent learns of it at once. */

import type { AgentLink, Platform } from "@mainstay/platform";
import { deviceActivated, deviceArchived, deviceChanged } from "@mainstay/directory";

export function agentsFollowDevices({ events }: Platform, link: AgentLink): void {
  for (const event of [deviceActivated, deviceArchived, deviceChanged]) {
    events.on(event, async (tx, device) => link.refresh(tx, device.id));
  }
}
