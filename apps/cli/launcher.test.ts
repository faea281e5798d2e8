import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const LAUNCHER = join(import.meta.dirname, "../../mainstay");
const PLATFORM = process.arch === "arm64" ? "linux-arm64" : "linux-x64";

let tree: string;
let programs: string;

/** A tree that holds the launcher and a lock file, and programs that stand for the machine's own Node and npm. */
beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), "mainstay-launcher-"));
  programs = join(tree, "programs");
  await mkdir(programs);
  await copyFile(LAUNCHER, join(tree, "mainstay"));
  await writeFile(join(tree, "package-lock.json"), "first");
  await program("node", "case $1 in -p) echo 20 ;; *) echo v20.1.0 ;; esac");
  await program(
    "npm",
    `echo "$*" >> "${tree}/npm-runs"
    sleep 0.2
    mkdir -p node_modules/node-${PLATFORM}/bin
    printf '#!/bin/sh\\necho "pinned $*"\\n' > node_modules/node-${PLATFORM}/bin/node
    chmod +x node_modules/node-${PLATFORM}/bin/node`,
  );
});

afterEach(() => rm(tree, { recursive: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(programs, name), 0o755);
}

type Launch = { readonly status: number; readonly output: string; readonly errors: string };

async function launch(path = join(tree, "mainstay"), search = `${programs}:/usr/bin:/bin`): Promise<Launch> {
  return new Promise((resolve) => {
    const child = execFile(path, ["vault", "a b"], { env: { PATH: search } }, (_, output, errors) =>
      resolve({ status: child.exitCode ?? -1, output, errors }),
    );
  });
}

const npmRuns = async (): Promise<number> =>
  (await readFile(join(tree, "npm-runs"), "utf8")).trim().split("\n").length;

test("the first launch installs, quietly, and hands its words to the pinned Node; the next does not install", async () => {
  const wanted = { status: 0, output: `pinned ${tree}/apps/cli/main.ts vault a b\n`, errors: "" };
  expect(await launch()).toEqual(wanted);
  expect(await launch()).toEqual(wanted);
  expect(await npmRuns()).toBe(1);
});

test("a changed lock file installs again", async () => {
  await launch();
  await writeFile(join(tree, "package-lock.json"), "second");
  await launch();
  expect(await npmRuns()).toBe(2);
});

test("launches at once install once", async () => {
  const launches = await Promise.all([launch(), launch(), launch()]);
  expect(launches.map(({ status }) => status)).toEqual([0, 0, 0]);
  expect(await npmRuns()).toBe(1);
});

test("it finds its tree through links", async () => {
  await symlink(join(tree, "mainstay"), join(tree, "absolute"));
  await symlink("../absolute", join(programs, "relative"));
  expect((await launch(join(programs, "relative"))).output).toContain(`pinned ${tree}/apps/cli/main.ts`);
});

test("a failed installation shows why and leaves no stamp, so that the next launch tries again", async () => {
  await program("npm", `echo "$*" >> "${tree}/npm-runs"; echo "npm error network is down" >&2; exit 1`);
  const { status, errors } = await launch();
  expect(status).toBe(2);
  expect(errors).toContain("npm error network is down");
  expect(errors).toContain(".cache/install.log");
  await launch();
  expect(await npmRuns()).toBe(2);
});

test("an old Node is named, with the way out", async () => {
  await program("node", "case $1 in -p) echo 18 ;; *) echo v18.1.0 ;; esac");
  const old = await launch();
  expect(old).toMatchObject({
    status: 2,
    errors: expect.stringContaining("found Node v18.1.0, wanted 20 or newer"),
  });
  expect(old.errors).toContain("apt-get install nodejs npm");
});

test("once all is in place the machine's own Node and npm are not needed", async () => {
  await launch();
  await rm(programs, { recursive: true });
  expect((await launch()).status).toBe(0);
});
