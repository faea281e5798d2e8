/** Keys as files that only the server's user reads: made once, whole or not at all, never overwritten. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "@mainstay/kit";
import { secretErrors } from "./errors.ts";
import { wrapperOf, type Wrapper } from "./wrapping.ts";

const MASTER_KEY_SIZE_BYTES = 32;
const PASSWORD_SIZE_BYTES = 24;

/** An Ed25519 key pair. `publicKey` is the raw 32 bytes in base64url. */
export type SigningKey = {
  readonly publicKey: string;
  /** 64 bytes in base64url. */
  sign(message: Uint8Array): string;
  readonly keyObject: KeyObject;
};

export type KeyFolder = {
  /** Wraps secrets for the database; its key never leaves this folder. */
  readonly wrapper: Wrapper;
  /** The key pair of this name, such as `identity` or `evidence`; made at the first call. */
  signingKey(name: string): Promise<SigningKey>;
  /** The random text of this name, such as `database-owner`; made at the first call. */
  password(name: string): Promise<string>;
};

/** Opens `directory`, making it and the master key when they are not there. */
export async function openKeyFolder(directory: string): Promise<KeyFolder> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const masterKey = await readOrMake(join(directory, "master.key"), () => randomBytes(MASTER_KEY_SIZE_BYTES));
  checkSize(masterKey, MASTER_KEY_SIZE_BYTES, join(directory, "master.key"));
  return {
    wrapper: wrapperOf(masterKey),
    signingKey: async (name) => {
      const path = join(directory, `${name}.key`);
      return signingKeyOf(await readOrMake(path, newPrivateKey), path);
    },
    password: async (name) => {
      const made = () => Buffer.from(randomBytes(PASSWORD_SIZE_BYTES).toString("base64url"));
      return (await readOrMake(join(directory, `${name}.password`), made)).toString("utf8");
    },
  };
}

function newPrivateKey(): Buffer {
  return Buffer.from(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }));
}

function signingKeyOf(pem: Buffer, path: string): SigningKey {
  const keyObject = readPrivateKey(pem, path);
  return {
    publicKey: publicTextOf(keyObject),
    sign: (message) => sign(null, message, keyObject).toString("base64url"),
    keyObject,
  };
}

function readPrivateKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw secretErrors.error(
      "key-damaged",
      `Cannot read the key "${path}"; put it back from the backup of the keys folder`,
      {
        cause,
        values: { path },
      },
    );
  }
}

function publicTextOf(privateKey: KeyObject): string {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return x ?? "";
}

function checkSize(key: Buffer, sizeBytes: number, path: string): void {
  if (key.length === sizeBytes) return;
  throw secretErrors.error(
    "key-damaged",
    `Cannot use the key "${path}": found ${key.length} bytes, wanted ${sizeBytes}; put it back from the backup of the keys folder`,
    { values: { path } },
  );
}

/** Reads the file, or makes it: written and synced under another name, then linked, which never replaces one. */
async function readOrMake(path: string, make: () => Buffer): Promise<Buffer> {
  const existing = await readIfThere(path);
  if (existing !== undefined) return existing;
  const fresh = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(fresh, "wx", 0o600);
  try {
    await file.writeFile(make());
    await file.sync();
  } finally {
    await file.close();
  }
  await link(fresh, path).catch((cause: unknown) => {
    if (systemCodeOf(cause) !== "EEXIST") throw cause;
  });
  await rm(fresh);
  await syncFolder(join(path, ".."));
  return readFile(path);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
