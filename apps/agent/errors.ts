/** Every failure of the agent that a caller can act on. */

import { defineErrors } from "@mainstay/kit";

export const agentErrors = defineErrors("agent", {
  "token-invalid": "The text is not a whole enrolment token",
  "not-enrolled": "The data folder holds no enrolled device",
  "already-enrolled": "The data folder holds a device already",
  "already-running": "Another agent uses the same data folder",
  "state-damaged": "A file of the agent's data folder cannot be read",
  "state-unwritable": "The agent's data folder cannot be written",
  "server-unreachable": "The server does not answer; the agent tries again",
  "server-not-trusted":
    "Whatever answers at the address cannot prove that it is the server this agent was enrolled at",
  "server-refused": "The server refuses this device or token",
  "server-nonsense": "The server sent what the protocol does not allow",
  "source-mixed": "Disks and files are to be captured in one restore point",
  "run-cancelled": "A technician stopped the run",
  defect: "The agent failed in a way it should not",
  interrupted: "The agent ended in the middle of a run; the next one sends only what is missing",
  "work-expired": "The work was to start before a time that is over",
  "work-unknown": "The work asks for something that is not going on",
});
