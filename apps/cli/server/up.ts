/** `mainstay up`: the server, until it is told to stop. */

import { homedir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { startProgress } from "../terminal/progress.ts";

/** Root's data lies where Debian's services keep theirs. */
export const SERVER_DATA_FOLDER =
  process.getuid?.() === 0 ? "/var/lib/mainstay" : join(homedir(), ".local/share/mainstay");

export const command = defineCommand({
  details:
    "Starts everything in one process: console, API, agents, vault and recoveries on one HTTPS port, with its own\n" +
    "PostgreSQL (or the one of DATABASE_URL). The first start prints a one-time link that makes the owner.\n" +
    "All state is in the data folder; ending with Ctrl-C or kill -9 loses nothing.",
  options: {
    data: { value: "DIR", about: "folder of all state", default: SERVER_DATA_FOLDER },
    listen: { value: "HOST:PORT", about: "where to listen", default: "127.0.0.1:8443" },
    name: { value: "NAME", about: "what this installation is called, for its peers", default: "Mainstay" },
    publicAddress: {
      value: "URL",
      about: "https://host:port as agents and peers reach it (default: where it listens)",
    },
  },
  json: "{address, setUpLink?}, once it listens",
  examples: [
    "up",
    "up --data /srv/mainstay --listen 0.0.0.0:8443 --public-address https://mainstay.example:8443",
  ],
  programs: ["qemu-system-x86_64", "qemu-img", "tesseract", "setpriv"],
  run: async ({ options, terminal, signal }) => {
    const listen = parseListen(options.listen);
    const { buildConsole } = await import("@mainstay/console");
    const { startServer } = await import("@mainstay/server");
    const progress = startProgress(terminal);
    progress.phase("Starting");
    const console = await buildConsole();
    const server = await startServer({
      dataDirectory: options.data,
      listen,
      name: options.name,
      consoleFolder: console.directory,
      ...(options.publicAddress === undefined ? {} : { publicAddress: options.publicAddress }),
      log: (line) => terminal.note(line),
    });
    progress.end();
    const { address, setUpLink } = server;
    terminal.print(`Mainstay is at ${address}`);
    if (setUpLink !== undefined) terminal.print(`Make the owner once at ${setUpLink}`);
    terminal.result({ address, setUpLink });
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await server.stop();
  },
});

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?<host>.+):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"]);
  if (match?.groups === undefined || port > 65_535) {
    throw cliErrors.error("usage", `Cannot listen on "${text}": wanted HOST:PORT, such as 127.0.0.1:8443`);
  }
  return { host: (match.groups["host"] ?? "").replace(/^\[(.*)\]$/, "$1"), port };
}
