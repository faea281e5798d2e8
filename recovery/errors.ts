/** What can go wrong when data, images and machines are brought back. */

import { defineErrors } from "@mainstay/kit";

export const recoveryErrors = defineErrors("recovery", {
  "filesystem-unreadable":
    "A file system inside a disk is damaged or of a kind the reader does not know; the machine boots by its firmware instead.",
  "file-missing": "A file that was looked for inside a disk is not there.",
  "probe-malformed":
    "The text or JSON of a probe does not follow its syntax; the message shows the place and an example.",
  "not-installed": "A program that recovery needs is not installed; the message names the Debian package.",
  "screen-unreadable": "A screenshot is not a picture, is too large, or its text could not be recognised.",
});
