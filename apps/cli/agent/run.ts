/** `mainstay agent run`: the agent, until it is told to stop. */

import { defineCommand } from "../command.ts";
import { AGENT_DATA_FOLDER, agentVersion } from "./settings.ts";

export const command = defineCommand({
  details:
    "Stays connected to the server and backs up when it is due. A server that is away is waited for; Ctrl-C ends it after noting the run that was going on.",
  options: {
    data: { about: "folder of the agent's state", value: "DIR", default: AGENT_DATA_FOLDER },
  },
  examples: ["agent run --data /var/lib/mainstay-agent"],
  run: async ({ options, terminal, signal }) => {
    const { captureSources, runAgent } = await import("@mainstay/agent");
    const { systemClock } = await import("@mainstay/kit");
    await runAgent({
      dataFolder: options.data,
      version: await agentVersion(),
      clock: systemClock,
      random: Math.random,
      log: (level, message, values) => {
        const at = new Date().toISOString();
        const more = values === undefined ? "" : ` ${JSON.stringify(values)}`;
        terminal.writeError(`${at} ${level === "info" ? "" : `${level}: `}${message}${more}\n`);
      },
      capture: captureSources,
      signal,
    });
  },
});
