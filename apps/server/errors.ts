/** What can go wrong with starting the server and with commands beside it. */

import { defineErrors } from "@mainstay/kit";

export const serverProcessErrors = defineErrors("server-process", {
  "not-running": "No server runs on this data folder",
  "no-owner": "There is no active user of this address, or no owner yet",
});
