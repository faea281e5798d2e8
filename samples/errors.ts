/** Every way building the sample server can fail for a reason outside our code. */

import { defineErrors } from "@mainstay/kit";

export const sampleErrors = defineErrors("samples", {
  "not-root":
    "Building an image needs root, to own the guest's files as root and to run its programs in a chroot.",
  "package-missing": "A Debian package that the build needs is not installed.",
  "sources-missing": "The machine's apt configuration names no Debian 12 source to build from.",
  "step-failed": "A program that the build runs ended with an error.",
  "size-unusable":
    "The wanted disk size is too small for the content, too large for the partition table, or not whole.",
});
