/** `mainstay peer invite`: lets another Mainstay keep its replicas here. */

import { defineCommand } from "../command.ts";
import { SERVER_DATA_FOLDER } from "../server/up.ts";

export const command = defineCommand({
  details:
    "Prints the invitation once; paste it at the other Mainstay under Vaults. The server must be running.",
  options: {
    data: { about: "folder of the running server's state", value: "DIR", default: SERVER_DATA_FOLDER },
    name: { about: "what the other Mainstay is called here", value: "NAME", required: true },
  },
  json: "{invitation}",
  examples: ["peer invite --data /var/lib/mainstay --name Headquarters"],
  run: async ({ options, terminal }) => {
    const { adminPeerInvitation } = await import("@mainstay/server");
    const invitation = await adminPeerInvitation(options.data, options.name);
    terminal.print(invitation);
    terminal.result({ invitation });
  },
});
