/** What can go wrong with keys and wrapped secrets. */

import { defineErrors } from "@mainstay/kit";

export const secretErrors = defineErrors("secrets", {
  "key-damaged": "A key file has not the size or form it was written with",
  "unwrap-failed": "A wrapped secret does not open: another master key, another context, or damaged bytes",
});
