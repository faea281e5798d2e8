/** `mainstay agent enrol`: makes this machine a device of a Mainstay server. */

import { hostname } from "node:os";
import { defineCommand } from "../command.ts";
import { AGENT_DATA_FOLDER, agentVersion } from "./settings.ts";

export const command = defineCommand({
  details:
    "The token, made in the console under Devices, says where the server is and how to know it. The device key is made here and never leaves.",
  options: {
    token: {
      about: "enrolment token, the whole text that begins with mst1.",
      value: "TOKEN",
      required: true,
    },
    data: { about: "folder of the agent's state", value: "DIR", default: AGENT_DATA_FOLDER },
    name: { about: "what the device is called in the console; by default its host name", value: "NAME" },
    kind: {
      about: "what the machine is",
      value: "KIND",
      default: "server",
      choices: ["server", "workstation", "virtual-machine", "appliance"],
    },
  },
  json: "{deviceId, address, state}",
  examples: ["agent enrol --token mst1.eyJhZGRy… --data /var/lib/mainstay-agent"],
  run: async ({ options, terminal, signal }) => {
    const { enrol } = await import("@mainstay/agent");
    const { deviceKind } = await import("@mainstay/contract");
    const { systemClock } = await import("@mainstay/kit");
    const enrolled = await enrol({
      token: options.token,
      dataFolder: options.data,
      name: options.name ?? hostname(),
      kind: deviceKind.parse(options.kind),
      version: await agentVersion(),
      clock: systemClock,
      signal,
    });
    terminal.print(`Enrolled at ${enrolled.address} as device ${enrolled.deviceId}.`);
    if (enrolled.state === "pending") terminal.print("It waits for a technician's approval in the console.");
    terminal.print(`Start the agent with: mainstay agent run --data ${options.data}`);
    terminal.result(enrolled);
  },
});
