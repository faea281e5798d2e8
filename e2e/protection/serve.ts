/** A server as a process of its own, for tests that kill it: prints one JSON line when it listens. */

import { startServer } from "@mainstay/server";

const [dataDirectory = "", port = "0", name = "Mainstay"] = process.argv.slice(2);
const server = await startServer({
  dataDirectory,
  name,
  listen: { host: "127.0.0.1", port: Number(port) },
  durability: "off",
});
const { address, setUpLink } = server;
process.stdout.write(`${JSON.stringify({ address, setUpLink })}\n`);

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void server.stop().then(() => process.exit(0)));
