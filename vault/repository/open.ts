/** Making a repository and opening one. */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { messageOf } from "@mainstay/kit";
import type { Backend } from "../backend/backend.ts";
import { randomPolynomial } from "../chunker/polynomial.ts";
import { seal, unseal, type SealingKey } from "../crypto/seal.ts";
import { vaultErrors } from "../errors.ts";
import { configFromJson, configToJson, type RepositoryConfig } from "../format/config.ts";
import { openEnvelope, type RepositoryVersion } from "../format/envelope.ts";
import { newMasterKey, sealMasterKey, unsealMasterKey, type ScryptCost } from "../format/key-file.ts";
import { idOf, shortId } from "../format/object-id.ts";
import { BlobTable } from "../index/blob-table.ts";
import { createWorkPool } from "../work/pool.ts";
import { currentUser } from "./current-user.ts";
import type { Repository } from "./repository.ts";

const CONFIG = { kind: "config", name: "" } as const;

/** zstd level: docs/decisions/0008 has the measurements. */
export const COMPRESSION_LEVEL = 2;

export type OpenOptions = {
  readonly backend: Backend;
  readonly password: string;
  /** Worker threads; by default one per core. */
  readonly threads?: number | undefined;
};

export type CreateOptions = OpenOptions & {
  readonly version?: RepositoryVersion | undefined;
  readonly scryptCost?: ScryptCost | undefined;
  /** A repository whose secrets and polynomial the new one shares, so that packs can be copied as they are. */
  readonly sameSecretsAs?: Pick<Repository, "config" | "key"> | undefined;
};

/** Makes an empty repository. Errors: `vault.already-a-repository` and those of the backend. */
export async function createRepository(options: CreateOptions): Promise<Repository> {
  const { backend, password, version = 2, sameSecretsAs } = options;
  if ((await backend.stat(CONFIG)) !== undefined) {
    throw vaultErrors.error(
      "already-a-repository",
      `Cannot make a repository at ${backend.location}: there is one already; choose another place, or use this one`,
    );
  }
  const config: RepositoryConfig = {
    version: sameSecretsAs?.config.version ?? version,
    id: randomBytes(32).toString("hex"),
    polynomial: sameSecretsAs?.config.polynomial ?? randomPolynomial(randomBytes),
  };
  const key = sameSecretsAs?.key ?? newMasterKey();
  await backend.create();
  await addKey({ backend, key }, password, options.scryptCost);
  // The config last: what has one has a key as well.
  await backend.write(CONFIG, [seal(key, Buffer.from(JSON.stringify(configToJson(config))))]);
  return assemble(options, config, key);
}

/** Opens a repository. Errors: `vault.not-a-repository`, `vault.wrong-password`, `vault.foreign-version`, `vault.damaged-file`. */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const { backend, password } = options;
  const configBytes = await readConfig(backend);
  const key = await findKey(backend, password, configBytes);
  const config = configFromJson(openEnvelope(key, CONFIG, configBytes), backend.location);
  return assemble(options, config, key);
}

/** Lets a further password open the repository. */
export async function addKey(
  repository: Pick<Repository, "backend" | "key">,
  password: string,
  scryptCost?: ScryptCost,
): Promise<void> {
  const owner = { username: currentUser().name, hostname: hostname() };
  const keyFile = Buffer.from(
    JSON.stringify(await sealMasterKey(repository.key, password, owner, scryptCost)),
  );
  await repository.backend.write({ kind: "keys", name: idOf(keyFile) }, [keyFile]);
}

function assemble(options: OpenOptions, config: RepositoryConfig, key: SealingKey): Repository {
  const setup = { key, version: config.version, level: COMPRESSION_LEVEL };
  const pool = createWorkPool(setup, options.threads);
  return {
    backend: options.backend,
    config,
    key,
    table: new BlobTable(),
    pool,
    [Symbol.asyncDispose]: async () => {
      await pool.close();
      await options.backend.close();
    },
  };
}

async function readConfig(backend: Backend): Promise<Uint8Array> {
  try {
    return await backend.read(CONFIG);
  } catch (cause) {
    if (!vaultErrors.is(cause, "file-missing")) throw cause;
    throw vaultErrors.error(
      "not-a-repository",
      `Cannot open repository ${backend.location}: it has no config; make one with "mainstay vault init", or correct the place`,
      { cause },
    );
  }
}

type KeyTry =
  | { readonly state: "opened"; readonly key: SealingKey }
  | { readonly state: "other-password" }
  | { readonly state: "damaged"; readonly reason: string };

/**
 * The master key that the password opens. A key that does not open the config is passed over: an interrupted `init` leaves
 * one behind.
 */
async function findKey(backend: Backend, password: string, configBytes: Uint8Array): Promise<SealingKey> {
  const tries: KeyTry[] = [];
  for await (const { name } of backend.list("keys")) {
    const found = await tryKey(name, await backend.read({ kind: "keys", name }), password);
    if (found.state === "opened" && unseal(found.key, configBytes) !== undefined) return found.key;
    tries.push(found);
  }
  const opened = tries.find((found) => found.state === "opened");
  // The password is right, so it is the config that is wrong; opening it says so.
  if (opened !== undefined) return opened.key;
  const where = backend.location;
  const damaged = tries.flatMap((found) => (found.state === "damaged" ? [found.reason] : []));
  if (damaged.length === tries.length) {
    const found =
      tries.length === 0 ? "there is no key file" : `no key file can be read (${damaged.join("; ")})`;
    throw vaultErrors.error(
      "damaged-file",
      `Cannot open repository ${where}: ${found}; fetch keys/ from a replica`,
      {
        values: { kind: "keys", damaged },
      },
    );
  }
  const also =
    damaged.length === 0 ? "" : `, and ${damaged.length} more cannot be read (${damaged.join("; ")})`;
  throw vaultErrors.error(
    "wrong-password",
    `Cannot open repository ${where}: the password fits none of its ${tries.length - damaged.length} keys${also}; check the password file`,
    { values: { keys: tries.length, damaged } },
  );
}

async function tryKey(name: string, bytes: Uint8Array, password: string): Promise<KeyTry> {
  let why: string | undefined;
  try {
    const key = await unsealMasterKey(bytes, password);
    if (key !== undefined) return { state: "opened", key };
    // A changed salt makes the right password look wrong.
    if (idOf(bytes) !== name) why = "its bytes do not hash to its name";
  } catch (cause) {
    why = messageOf(cause);
  }
  return why === undefined
    ? { state: "other-password" }
    : { state: "damaged", reason: `keys/${shortId(name)}: ${why}` };
}
