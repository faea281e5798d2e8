/** What can go wrong with the file that keeps a recovered machine's writes. */

import { defineErrors } from "@mainstay/kit";

export const overlayErrors = defineErrors("overlay", {
  "foreign-disk": "The overlay was made for another disk, or with another block size.",
  damaged: "The overlay's map is missing or its header is not readable.",
  "in-use": "Another program has the overlay open.",
  "write-failed": "The overlay could not take a write, for instance because the disk is full.",
  "flush-failed": "The overlay could not be made durable; what was written since the last flush may be lost.",
});
