import { createPublicKey, verify } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openKeyFolder } from "./key-folder.ts";

let folder: string;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "mainstay-keys-")), "keys");
});

afterEach(() => rm(join(folder, ".."), { recursive: true }));

test("keys are made once, for our eyes only, and found again", async () => {
  const [first, second] = await Promise.all([openKeyFolder(folder), openKeyFolder(folder)]);
  const [one, two] = await Promise.all([first.signingKey("identity"), second.signingKey("identity")]);
  expect(one.publicKey).toBe(two.publicKey);
  expect(one.publicKey).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect((await first.signingKey("evidence")).publicKey).not.toBe(one.publicKey);
  expect(await first.password("database")).toBe(await second.password("database"));
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  for (const name of ["master.key", "identity.key", "database.password"])
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
});

test("a signature verifies with the public key alone", async () => {
  const key = await (await openKeyFolder(folder)).signingKey("identity");
  const message = Buffer.from("what was said");
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.publicKey }, format: "jwk" });
  expect(verify(null, message, publicKey, Buffer.from(key.sign(message), "base64url"))).toBe(true);
});

test("a wrapped secret opens in its own context with the same master key, and nowhere else", async () => {
  const { wrapper } = await openKeyFolder(folder);
  const wrapped = wrapper.wrap("s3cret", "repository-password 1");
  expect(wrapper.unwrap(wrapped, "repository-password 1")).toBe("s3cret");
  expect(wrapped.includes("s3cret")).toBe(false);
  expect(() => wrapper.unwrap(wrapped, "repository-password 2")).toThrow(
    /Cannot open the stored repository-password/,
  );
  for (let index = 0; index < wrapped.length; index += 1) {
    const bent = Buffer.from(wrapped);
    bent[index] = (bent[index] ?? 0) ^ 1;
    expect(() => wrapper.unwrap(bent, "repository-password 1")).toThrow(
      expect.objectContaining({ code: "secrets.unwrap-failed" }),
    );
  }
  expect(() => wrapper.unwrap(Buffer.of(1), "x")).toThrow(
    expect.objectContaining({ code: "secrets.unwrap-failed" }),
  );
});

test("a damaged key file is told by name and never replaced", async () => {
  await openKeyFolder(folder);
  await writeFile(join(folder, "master.key"), "short");
  await expect(openKeyFolder(folder)).rejects.toMatchObject({
    code: "secrets.key-damaged",
    message: expect.stringContaining("found 5 bytes, wanted 32") as string,
  });
});
