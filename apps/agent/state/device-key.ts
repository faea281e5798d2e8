/** The device's own Ed25519 key: made on the device, never leaves it. */

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import { must } from "@mainstay/kit";
import { agentErrors } from "../errors.ts";
import { readIfThere, writeDurably } from "./durable-file.ts";
import type { Seal } from "./json-file.ts";

export type DeviceKey = {
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  /** 64 bytes, base64url. */
  sign(message: Uint8Array): string;
  /** Keeps what the server told in confidence from a copy of that one file. */
  readonly seal: Seal;
};

const NONCE_SIZE = 12;
const TAG_SIZE = 16;

/** Reads the key; makes it if there is none. */
export async function loadDeviceKey(file: string): Promise<DeviceKey> {
  const pem = await readIfThere(file);
  if (pem !== undefined) return deviceKey(parseKey(pem, file));
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeDurably(file, privateKey.export({ type: "pkcs8", format: "pem" }));
  return deviceKey(privateKey);
}

/** Whether the base64url `signature` over `message` was made by the owner of the base64url Ed25519 `publicKey`. */
export function isSignatureOf(publicKey: string, message: Uint8Array, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
    return verify(null, message, key, Buffer.from(signature, "base64url"));
  } catch {
    return false;
  }
}

function deviceKey(privateKey: KeyObject): DeviceKey {
  const { x, d } = privateKey.export({ format: "jwk" });
  const secret = Buffer.from(must(d, "an Ed25519 private key has a d"), "base64url");
  const sealKey = Buffer.from(hkdfSync("sha256", secret, "", "mainstay agent state v1", 32));
  return {
    publicKey: must(x, "an Ed25519 key has an x"),
    sign: (message) => sign(null, message, privateKey).toString("base64url"),
    seal: { seal: (plain) => encrypt(sealKey, plain), open: (sealed) => decrypt(sealKey, sealed) },
  };
}

function parseKey(pem: Buffer, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Told below, with the file's name.
  }
  throw agentErrors.error(
    "state-damaged",
    `Cannot read the device key "${file}": found no Ed25519 key; enrol the device anew in an empty folder`,
    { values: { file } },
  );
}

function encrypt(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_SIZE), {
    authTagLength: TAG_SIZE,
  });
  decipher.setAuthTag(sealed.subarray(-TAG_SIZE));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_SIZE, -TAG_SIZE)), decipher.final()]);
}
