/** Tells consoles what to read again, with the commit that changed it. */

import type { ChangeType, CustomerId, DeviceId } from "@mainstay/contract";
import type { Tx } from "@mainstay/platform";
import type { ProtectionParts } from "./parts.ts";

export type Subject = {
  readonly customerId: CustomerId | null;
  readonly deviceId: DeviceId | null;
  readonly subjectId: string;
};

export async function announce(
  { platform }: ProtectionParts,
  tx: Tx,
  type: ChangeType,
  subject: Subject,
): Promise<void> {
  await platform.live.announce(tx, { type, ...subject });
}
