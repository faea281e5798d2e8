/** Key files: the repository's master key, sealed with a key that scrypt makes of a password. One file per password. */

import { randomBytes, scrypt } from "node:crypto";
import { seal, unseal, type SealingKey } from "../crypto/seal.ts";

export type KeyFile = {
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
  readonly kdf: "scrypt";
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly data: string;
};

export type ScryptCost = { readonly N: number; readonly r: number; readonly p: number };

/** 32 MiB of memory and three passes: the least that OWASP's password storage advice names for this memory. */
export const SCRYPT_COST: ScryptCost = { N: 32_768, r: 8, p: 3 };

/** A foreign key file may not make us allocate more than this. */
const SCRYPT_MEMORY_BYTES_MAX = 1024 * 1024 * 1024;
/** Nor keep a processor busy for minutes. */
const SCRYPT_PASSES_MAX = 256;
const SALT_BYTES = 64;
const DERIVED_BYTES = 64;

export function newMasterKey(): SealingKey {
  return { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
}

export async function sealMasterKey(
  master: SealingKey,
  password: string,
  owner: { readonly username: string; readonly hostname: string },
  cost: ScryptCost = SCRYPT_COST,
  now = new Date(),
): Promise<KeyFile> {
  const salt = randomBytes(SALT_BYTES);
  const user = await derive(password, salt, cost);
  const json = {
    mac: { k: base64(master.macK), r: base64(master.macR) },
    encrypt: base64(master.encrypt),
  };
  return {
    created: now.toISOString(),
    ...owner,
    kdf: "scrypt",
    ...cost,
    salt: base64(salt),
    data: base64(seal(user, Buffer.from(JSON.stringify(json)))),
  };
}

/** The master key, or `undefined` if the password is not this file's. Throws if the file is not a key file we can use. */
export async function unsealMasterKey(bytes: Uint8Array, password: string): Promise<SealingKey | undefined> {
  const file = parseKeyFile(bytes);
  const user = await derive(password, Buffer.from(file.salt, "base64"), file);
  const plaintext = unseal(user, Buffer.from(file.data, "base64"));
  if (plaintext === undefined) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- sealed by a holder of the password; each field of an open file is checked
  const { mac, encrypt } = JSON.parse(plaintext.toString("utf8")) as {
    mac: { k: string; r: string };
    encrypt: string;
  };
  return {
    encrypt: Buffer.from(encrypt, "base64"),
    macK: Buffer.from(mac.k, "base64"),
    macR: Buffer.from(mac.r, "base64"),
  };
}

function parseKeyFile(bytes: Uint8Array): KeyFile {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- sealed by a holder of the password; each field of an open file is checked
  const file = JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<KeyFile>;
  const { kdf, N = 0, r = 0, p = 0, salt, data } = file;
  if (kdf !== "scrypt" || typeof salt !== "string" || typeof data !== "string") {
    throw new Error(`unknown key derivation ${String(kdf)}`);
  }
  const isUsable =
    N >= 2 && r >= 1 && p >= 1 && p <= SCRYPT_PASSES_MAX && 128 * N * r <= SCRYPT_MEMORY_BYTES_MAX;
  if (!isUsable) throw new Error("scrypt cost out of range");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- sealed by a holder of the password; each field of an open file is checked
  return file as KeyFile;
}

function derive(password: string, salt: Uint8Array, cost: ScryptCost): Promise<SealingKey> {
  const { N, r, p } = cost;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, DERIVED_BYTES, { N, r, p, maxmem: 2 * SCRYPT_MEMORY_BYTES_MAX }, (cause, key) => {
      if (cause !== null) reject(cause);
      else resolve({ encrypt: key.subarray(0, 32), macK: key.subarray(32, 48), macR: key.subarray(48, 64) });
    });
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
