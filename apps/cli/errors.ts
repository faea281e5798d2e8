/** What can go wrong between the words typed and the work asked for. */

import { defineErrors } from "@mainstay/kit";

export const cliErrors = defineErrors("cli", {
  usage: "The command, an argument or an option is not one this version knows",
  "missing-packages": "Programs this command runs are not installed and may not be installed from here",
  "no-password": "The repository's password was neither given nor could be asked for",
  "password-mismatch": "The two passwords typed for a new repository differ",
  "unreadable-password-file": "The file that should hold the password cannot be read or is empty",
});

export type CliErrorName = keyof typeof cliErrors.meanings;

/** Failures that mean "asked wrongly or cannot start" (exit status 2) rather than "the thing asked failed" (1). */
const CANNOT_START: readonly CliErrorName[] = [
  "usage",
  "missing-packages",
  "no-password",
  "password-mismatch",
  "unreadable-password-file",
];

export function isCannotStart(cause: unknown): boolean {
  return CANNOT_START.some((name) => cliErrors.is(cause, name));
}
