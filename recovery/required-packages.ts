/** The programs that recovery runs, with those of the machines, and the Debian packages that bring them. */

import { requiredDebianPackages as machinePackages } from "@mainstay/qemu";

export const requiredDebianPackages: readonly {
  readonly package: string;
  readonly binary: string;
  readonly need: string;
}[] = [...machinePackages, { package: "tesseract-ocr", binary: "tesseract", need: "text on screens" }];
