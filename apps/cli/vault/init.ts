/** `mainstay vault init`. */

import { defineCommand } from "../command.ts";
import { createRequested, repositoryOptions } from "./repository.ts";

export const command = defineCommand({
  details:
    "Makes an empty repository in restic's format, version 2: any restic client can read it,\n" +
    "check it, restore from it and back up into it. Without the password nothing in it can be read.",
  options: repositoryOptions,
  json: "the repository's id and version",
  examples: ["vault init --repo /srv/vault/sql1", "vault init --repo rest:http://localhost:8000/sql1/"],
  run: async ({ options, terminal, signal }) => {
    await using repository = await createRequested({ options, terminal, signal });
    const { id, version } = repository.config;
    terminal.print(
      `Made repository ${id.slice(0, 8)} at ${repository.backend.location} (restic format version ${version})`,
    );
    terminal.result({ id, version, location: repository.backend.location });
  },
});
