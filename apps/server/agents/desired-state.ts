/** What a device should do now, as one value with a version that is its hash. */

import { createHash } from "node:crypto";
import type { DesiredState } from "@mainstay/contract";
import type { AgentDevice, AgentHooks, ServerIdentity, Tx } from "@mainstay/platform";

export async function desiredStateOf(
  tx: Tx,
  device: AgentDevice,
  hooks: readonly AgentHooks[],
  identity: ServerIdentity,
): Promise<DesiredState> {
  const provider = hooks.find((candidate) => candidate.backupDesired !== undefined);
  const wanted = {
    serverCertificateSha256: identity.certificate.sha256,
    backup: (await provider?.backupDesired?.(tx, device)) ?? null,
  };
  const version = createHash("sha256").update(JSON.stringify(wanted)).digest("hex").slice(0, 32);
  return { version, ...wanted };
}
