/** `mainstay vault serve-nbd`. */

import { servePoint } from "@mainstay/recovery";
import { formatBytes } from "@mainstay/kit";
import { defineCommand } from "../command.ts";
import { openRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "Serves a disk, or any file of any restore point, as a network block device on a unix socket until\n" +
    "Ctrl-C. Nothing is copied first: blocks are read from the repository as they are asked for. The\n" +
    "repository is never written; with --overlay the disk can be written, and the file keeps the writes.",
  arguments: [{ name: "point", about: "POINT, POINT:DISK or POINT:/path/in/it" }],
  options: {
    ...repositoryOptions,
    socket: { value: "PATH", required: true, about: "the unix socket to listen on" },
    overlay: { value: "FILE", about: "file that takes the writes; made if absent, continued if it is there" },
  },
  json: "a line once the disk is served",
  examples: [
    "vault serve-nbd latest --socket /run/sql1.sock --repo R",
    "vault serve-nbd 1a2b3c4d:/var/disk.img --socket S --overlay writes.img --repo R",
  ],
  run: async ({ options, arguments: [point], terminal, signal }) => {
    await using repository = await openRequested({ options, terminal, signal });
    const { socket, overlay } = options;
    await using served = await servePoint({ repository, point, socket, overlay, signal });
    terminal.print(
      `Serving ${served.snapshot.id.slice(0, 8)}, ${formatBytes(served.sizeBytes)}, at nbd+unix:///?socket=${socket}`,
    );
    terminal.result({
      point: served.snapshot.id,
      sizeBytes: served.sizeBytes,
      socket,
      readyMs: performance.now(),
    });
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  },
});
