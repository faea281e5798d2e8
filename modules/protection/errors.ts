/** The failures of this module that its own code speaks of; those that routes answer stand in the contract. */

import { defineErrors } from "@mainstay/kit";

export const protectionErrors = defineErrors("protection", {
  "not-running": "The run or session has ended already",
  "point-missing": "The chosen vault does not hold this restore point",
  "vault-unreachable": "The other vault did not answer",
  "agent-away": "The agent of this device is not connected",
  "no-plan": "The device has no protection plan or nothing to capture",
  "no-space": "The disk that this action needs is full",
  "machine-failed": "The virtual machine could not be started",
  "probe-failed": "The machine came up, but did not answer a probe as it should",
});
