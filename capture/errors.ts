/** Every failure of capturing that a caller can act on. */

import { defineErrors } from "@mainstay/kit";

export const captureErrors = defineErrors("capture", {
  "source-missing": "The disk or folder to back up is not there",
  "source-unreadable": "The disk or folder to back up cannot be read",
  "source-unusable": "The thing to back up is of a kind that cannot be captured",
  "disk-name-invalid": "A disk cannot have that name in a restore point",
  "reader-failed": "The program that reads the disk's format failed",
});
