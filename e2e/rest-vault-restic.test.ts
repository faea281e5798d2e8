/** The real restic client with our server of its REST protocol. */

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startVaultServer, type VaultServer } from "./rest-vault-server.ts";

const run = promisify(execFile);

let server: VaultServer;
let work: string;
beforeAll(async () => {
  server = await startVaultServer();
  work = await mkdtemp(join(tmpdir(), "e2e-restic-"));
  await mkdir(join(work, "files", "deep"), { recursive: true });
  await writeFile(join(work, "files", "large"), randomBytes(20_000_000));
  await writeFile(join(work, "files", "deep", "grün ☂.txt"), "a text");
  await symlink("large", join(work, "files", "link"));
});
afterAll(async () => {
  await server.close();
  await rm(work, { recursive: true });
});

async function restic(...words: string[]): Promise<string> {
  const environment = { ...process.env, RESTIC_PASSWORD: "word", RESTIC_CACHE_DIR: join(work, "cache") };
  const { stdout } = await run("restic", ["-r", server.location, ...words], { env: environment });
  return stdout;
}

/** What restic says when it is refused. It would try again for a minute and more by itself; the first seconds tell. */
async function resticRefused(...words: string[]): Promise<string> {
  const failed = await run("restic", ["-r", server.location, ...words], {
    env: { ...process.env, RESTIC_PASSWORD: "word", RESTIC_CACHE_DIR: join(work, "cache") },
    timeout: 3000,
    killSignal: "SIGINT",
  }).catch((cause: unknown) => cause as { readonly stderr: string });
  // Killed, it leaves its lock behind.
  await restic("unlock");
  return failed.stderr;
}

async function snapshots(): Promise<readonly { readonly id: string }[]> {
  return JSON.parse(await restic("snapshots", "--json")) as { id: string }[];
}

test("restic makes a repository, backs up, lists, checks, restores, and may forget", async () => {
  await restic("init");
  await restic("backup", join(work, "files"));
  await writeFile(join(work, "files", "second"), randomBytes(1_000_000));
  await restic("backup", join(work, "files"));
  expect(await snapshots()).toHaveLength(2);
  expect(await restic("check", "--read-data")).toContain("no errors were found");
  await restic("restore", "latest", "--target", join(work, "restored"));
  const digest = async (path: string): Promise<string> =>
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  for (const name of ["large", "second", "deep/grün ☂.txt", "link"]) {
    expect(await digest(join(work, "restored", work, "files", name))).toBe(
      await digest(join(work, "files", name)),
    );
  }
  await restic("forget", "--keep-last", "1", "--prune");
  expect(await snapshots()).toHaveLength(1);
});

test("append-only, restic still backs up and checks, but can forget and prune nothing", async () => {
  server.setMode("append-only");
  await writeFile(join(work, "files", "third"), randomBytes(1_000_000));
  await restic("backup", join(work, "files"));
  const before = await snapshots();
  expect(before).toHaveLength(2);
  expect(await resticRefused("forget", "--prune", before[0]?.id ?? "none")).toContain("403");
  expect(await snapshots()).toEqual(before);
  expect(await restic("check", "--read-data")).toContain("no errors were found");
  server.setMode("full");
});

test("restic reads the folder on the server's own disk as well", async () => {
  const environment = { ...process.env, RESTIC_PASSWORD: "word", RESTIC_CACHE_DIR: join(work, "cache") };
  const { stdout } = await run("restic", ["-r", server.folder, "check"], { env: environment });
  expect(stdout).toContain("no errors were found");
});

test("restic says what a used-up quota means", async () => {
  server.leaveRoom(1000);
  await writeFile(join(work, "files", "fourth"), randomBytes(1_000_000));
  expect(await resticRefused("backup", join(work, "files"))).toContain("507");
  server.leaveRoom(Infinity);
});
