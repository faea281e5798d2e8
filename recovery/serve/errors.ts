/** Failures of serving a disk of a restore point. */

import { defineErrors } from "@mainstay/kit";

export const serveErrors = defineErrors("serve", {
  "point-read-only": "A restore point was asked to be written to",
});
