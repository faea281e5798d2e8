/** Every failure of the vault that a caller can act on. */

import { defineErrors } from "@mainstay/kit";

export const vaultErrors = defineErrors("vault", {
  "file-missing": "A file of the repository is not there",
  "file-truncated": "A file of the repository is shorter than its content needs",
  "file-exists": "A different file of that name is already stored",
  "backend-unreachable": "The place where the repository lies does not answer; trying again may help",
  "backend-full": "There is no room left where the repository lies",
  "backend-refused": "The place where the repository lies refuses the request",
  "span-invalid": "A span of time in a retention policy cannot be read",
});
