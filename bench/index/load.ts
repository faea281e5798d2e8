/** Opens the repository named on the command line, loads its index, and says how many blobs it knows. */

import { createDiskBackend, loadIndex, openRepository } from "@mainstay/vault";

const [folder = "", password = ""] = process.argv.slice(2);
await using repository = await openRepository({ backend: createDiskBackend(folder), password });
await loadIndex(repository);
process.stdout.write(`${repository.table.size}\n`);
