/** Reads every key file: the one that opened the repository is whole, but another person's password may hang on another one. */

import { messageOf } from "@mainstay/kit";
import { idOf, shortId } from "../format/object-id.ts";
import type { Repository } from "../repository/repository.ts";
import type { Finding } from "./finding.ts";

export async function checkKeys(
  repository: Repository,
  say: (finding: Finding) => void,
  signal?: AbortSignal,
): Promise<void> {
  for await (const { name } of repository.backend.list("keys", signal)) {
    const why = await damageOf(repository, name, signal);
    if (why === undefined) continue;
    const text = `Key ${shortId(name)} cannot be used: ${why}; fetch it from a replica, or remove it and add its password again with "restic key add"`;
    say({ severity: "error", kind: "key-damaged", id: name, text });
  }
}

async function damageOf(
  repository: Repository,
  name: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const bytes = await repository.backend.read({ kind: "keys", name }, undefined, signal);
    return idOf(bytes) === name ? undefined : "its bytes do not hash to its name";
  } catch (cause) {
    signal?.throwIfAborted();
    return messageOf(cause);
  }
}
