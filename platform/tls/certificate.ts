/** The self-signed certificate of this server, made at the first start. Agents and peers pin keys, not its names. */

import { createHash, X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { isIP } from "node:net";
import { join } from "node:path";
import { generate } from "selfsigned";

const YEARS = 10;

export type Certificate = {
  readonly key: string;
  readonly certificate: string;
  /** SHA-256 of the DER form, hexadecimal: what others pin. */
  readonly sha256: string;
};

/** Reads `tls.key` and `tls.crt` of `directory`, or makes them for this machine's names and `hosts`. */
export async function openCertificate(directory: string, hosts: readonly string[]): Promise<Certificate> {
  const keyPath = join(directory, "tls.key");
  const certificatePath = join(directory, "tls.crt");
  const existing = await readBoth(keyPath, certificatePath);
  if (existing !== undefined) return existing;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const made = await makeCertificate(hosts);
  // The key first: a certificate without its key would be worse than none, and the pair is remade unless both are there.
  await writeWhole(keyPath, made.key);
  await writeWhole(certificatePath, made.certificate);
  return made;
}

async function readBoth(keyPath: string, certificatePath: string): Promise<Certificate | undefined> {
  const [key, certificate] = await Promise.all(
    [keyPath, certificatePath].map((path) => readFile(path, "utf8").catch(() => undefined)),
  );
  return key === undefined || certificate === undefined ? undefined : certificateOf(key, certificate);
}

function certificateOf(key: string, certificate: string): Certificate {
  const { raw } = new X509Certificate(certificate);
  return { key, certificate, sha256: createHash("sha256").update(raw).digest("hex") };
}

async function makeCertificate(hosts: readonly string[]): Promise<Certificate> {
  const names = [...new Set(["localhost", "127.0.0.1", "::1", hostname(), ...hosts])].filter(
    (name) => name !== "" && name !== "0.0.0.0" && name !== "::",
  );
  const now = new Date();
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + YEARS);
  const made = await generate([{ name: "commonName", value: "Mainstay" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(now.getTime() - 24 * 3_600_000),
    notAfterDate: end,
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })),
      },
    ],
  });
  return certificateOf(made.private, made.cert);
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
