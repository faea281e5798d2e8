/** The routes of restore points. */

import { type HandlersOf, notFound } from "@mainstay/platform";
import type { ProtectionParts } from "../parts.ts";
import { vaultNames } from "../vaults/vault-store.ts";
import { listPoints, readPoint } from "./point-store.ts";

export function pointHandlers(parts: ProtectionParts): HandlersOf<"restorePoints"> {
  const { database } = parts.platform;
  return {
    list: ({ caller, query }) =>
      database.inScope(caller.scope, async (tx) => {
        await parts.directory.readDevice(tx, query.deviceId);
        return await listPoints(tx, query.deviceId, query, await vaultNames(tx));
      }),
    read: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const point = await readPoint(tx, params.restorePointId, await vaultNames(tx));
        if (point === undefined) throw notFound("restore point", params.restorePointId);
        return point;
      }),
  };
}
