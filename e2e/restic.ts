/** The real restic client, and a tree of files with everything that a file system can hold, for the tests beside it. */

import { execFile } from "node:child_process";
import { link, mkdir, open, readdir, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { noise, TEST_PASSWORD } from "@mainstay/vault/testing";

const run = promisify(execFile);

export type Restic = {
  /** Its standard output. */
  (...words: string[]): Promise<string>;
};

/** restic on one repository; its cache lies in `work`. */
export function resticOn(repository: string, work: string): Restic {
  return async (...words) => {
    const { stdout } = await run("restic", ["-r", repository, ...words], {
      env: resticEnvironment(work),
      maxBuffer: 256 * 1024 * 1024,
    });
    return stdout;
  };
}

export function resticEnvironment(work: string): NodeJS.ProcessEnv {
  return { ...process.env, RESTIC_PASSWORD: TEST_PASSWORD, RESTIC_CACHE_DIR: join(work, "cache"), TZ: "UTC" };
}

/** Names in UTF-8 and not, links of both kinds, holes, pipes, set-id and read-only files, and one cut into many chunks. */
export async function makeTree(root: string): Promise<void> {
  await mkdir(join(root, "deep", "er"), { recursive: true });
  await writeFile(join(root, "empty"), "");
  await writeFile(join(root, "large"), noise(19 * 1024 * 1024 + 123, 42));
  await writeFile(join(root, "deep", 'grün ☂ "quoted" \\ back'), "a text");
  await writeFile(
    Buffer.concat([Buffer.from(join(root, "deep", "er")), Buffer.from("/not-utf8-\xff\xc3(", "latin1")]),
    "bytes",
  );
  await writeFile(join(root, "deep", "er", "new\nline\ttab"), "control");
  await writeFile(join(root, "tool"), "#!/bin/sh\n");
  await run("chmod", ["4755", join(root, "tool")]);
  await writeFile(join(root, "read-only"), "x".repeat(100_000));
  await run("chmod", ["0440", join(root, "read-only")]);
  await run("chown", ["1234:4321", join(root, "read-only")]).catch(() => undefined); // Only root may.
  await link(join(root, "large"), join(root, "deep", "large-again"));
  await symlink("large", join(root, "link"));
  // In UTF-8: this restic replaces any other byte of a link's target.
  await symlink("no-such-ü", join(root, "dangling"));
  await run("mkfifo", [join(root, "pipe")]);
  const sparse = join(root, "sparse");
  await writeFile(sparse, noise(5000, 7));
  await truncate(sparse, 9 * 1024 * 1024);
  const end = await open(sparse, "a");
  await end.write(noise(4000, 8));
  await end.close();
  await utimes(join(root, "empty"), 1_000_000_000.5, 1_000_000_000.25);
  await mkdir(join(root, "sticky"), { mode: 0o777 });
  await run("chmod", ["1777", join(root, "sticky")]);
}

export type TreeDescription = {
  /** Per entry its kind, mode, owner, size, links and target; then the sum of each file. */
  readonly entries: string;
  /** By name, seconds since 1970. */
  readonly times: ReadonlyMap<string, number>;
};

/** Everything below `root` that a restore must bring back. */
export async function describeTree(root: string): Promise<TreeDescription> {
  const format = "%P\\0%y %m %U %G %s %T@ %n %l\\0";
  const { stdout } = await run("find", [".", "-mindepth", "1", "-printf", format], {
    cwd: root,
    encoding: "latin1",
  });
  const fields = stdout.split("\0");
  const lines: string[] = [];
  const times = new Map<string, number>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = JSON.stringify(fields[at]);
    const [kind, mode, user, group, size, time, links, ...target] = (fields[at + 1] ?? "").split(" ");
    // How large a folder is and how often it is linked is the file system's affair.
    const ofFile = kind === "d" ? "" : `${size} ${links}`;
    lines.push(`${name} ${kind} ${mode} ${user}:${group} ${ofFile} ${target.join(" ")}`);
    times.set(name, Number(time));
  }
  const { stdout: sums } = await run("sh", ["-c", "find . -type f -print0 | sort -z | xargs -0 sha256sum"], {
    cwd: root,
    encoding: "latin1",
  });
  return { entries: `${lines.sort().join("\n")}\n${sums}`, times };
}

/** The names whose times differ by more than Node can set them: about a microsecond. */
export function timeDifferences(left: TreeDescription, right: TreeDescription): readonly string[] {
  return [...left.times].flatMap(([name, time]) =>
    Math.abs(time - (right.times.get(name) ?? 0)) > 2e-6
      ? [`${name}: ${time}, ${right.times.get(name)}`]
      : [],
  );
}

/** All pack files of a repository on disk. */
export async function packsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, "data"), { recursive: true });
  return names.filter((name) => /[0-9a-f]{64}$/.test(name)).map((name) => join(folder, "data", name));
}
