/** `mainstay admin sign-in-link`: the way in for who holds the data folder. */

import { defineCommand } from "../command.ts";
import { SERVER_DATA_FOLDER } from "./up.ts";

export const command = defineCommand({
  details:
    "Prints a link that signs in once, within fifteen minutes. Needs the running server's data folder.",
  options: {
    data: { value: "DIR", about: "folder of the server's state", default: SERVER_DATA_FOLDER },
    email: { value: "EMAIL", about: "whom it signs in (default: the first owner)" },
  },
  json: "{link}",
  examples: ["admin sign-in-link --data /srv/mainstay"],
  run: async ({ options, terminal }) => {
    const { adminSignInLink } = await import("@mainstay/server");
    const link = await adminSignInLink(options.data, options.email);
    terminal.print(link);
    terminal.result({ link });
  },
});
