/** `mainstay peer invite`: what the console does under Peers, for who can read the data folder. */

import { join } from "node:path";
import { encodePeerTicket } from "@mainstay/contract";
import { systemClock } from "@mainstay/kit";
import { appendAudit, openKeyFolder, requestErrors, serverActor } from "@mainstay/platform";
import { invitePeer, isPeerNameTaken } from "@mainstay/protection";
import { besideServer } from "./admin.ts";

/** The text to paste at the other Mainstay; shown once. Throws `server-process.not-running`, `request.conflict`. */
export function adminPeerInvitation(dataDirectory: string, name: string): Promise<string> {
  return besideServer(dataDirectory, async (database, running) => {
    const { publicKey } = await (await openKeyFolder(join(dataDirectory, "keys"))).signingKey("identity");
    const made = await database.asSystem("admin peer invite", async (tx) => {
      if (await isPeerNameTaken(tx, name))
        throw requestErrors.error(
          "conflict",
          `Cannot invite "${name}": there is a peer of that name; choose another`,
        );
      const invited = await invitePeer(tx, name, systemClock.now());
      const subject = { kind: "peer", id: invited.id, name };
      await appendAudit(tx, { actor: serverActor, action: "peer.invite", customerId: null, subject });
      return invited;
    });
    const { address, certificateSha256 } = running;
    return encodePeerTicket({
      address,
      peerId: made.id,
      secret: made.secret,
      identity: publicKey,
      certificateSha256,
    });
  });
}
