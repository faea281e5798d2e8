/** What can go wrong with a machine process, its monitor and its guest agent. */

import { defineErrors } from "@mainstay/kit";

export const qemuErrors = defineErrors("qemu", {
  "not-installed": "A program that machines need is not installed; the message names the Debian package.",
  "spec-refused": "The description of the machine breaks a limit or contradicts itself; nothing was started.",
  "start-failed":
    "The machine process ended or stayed silent before it could be controlled; its last words are quoted.",
  exited: "The machine process ended while something was asked of it.",
  "connect-failed": "The monitor's socket could not be reached or did not greet as a QEMU monitor does.",
  "protocol-broken":
    "The monitor or guest agent sent something that is not of its protocol, or more than the limit allows.",
  "command-failed": "QEMU refused a monitor command; its own class and description are in the values.",
  "timed-out": "QEMU, the guest or the guest agent did not answer within the named limit.",
  closed: "The connection to the monitor or guest agent was closed while an answer was awaited.",
  "agent-failed": "The guest agent refused a command or the command could not be run inside the guest.",
  "screen-failed": "The screen could not be photographed.",
  "keys-refused": "A text holds a character that no key of a US keyboard gives.",
  "bitmap-unusable": "A dirty bitmap is missing, inconsistent or stopped: all blocks must be read.",
  "disk-unknown": "No disk of the running machine has that name.",
  "job-failed": "A block job of the machine failed or was cancelled; the machine still runs on its old disk.",
});
