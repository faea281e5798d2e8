/** The real thing: built from packages (or taken from the cache), started in QEMU, asked over SQL. */

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { GIB } from "@mainstay/kit";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PARTITION_START_SECTOR } from "./recipe.ts";
import { buildSampleServer, type SampleServer } from "./sample-server.ts";

const execute = promisify(execFile);

/** The first build downloads and installs Debian. */
const BUILD_MS_MAX = 10 * 60_000;

/** Quick enough is the bench's business; here a loaded machine must not fail a sound image. */
const BOOT_MS_MAX = 150_000;

let folder: string;
let server: SampleServer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "mainstay-sample-"));
  server = await buildSampleServer({ variant: "small", directory: folder });
}, BUILD_MS_MAX);
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the disk has the wanted size, is mostly holes, and satisfies sfdisk and e2fsck", async () => {
  const { size, blocks } = await stat(server.diskPath);
  expect(size).toBe(3 * GIB);
  expect(blocks * 512).toBeLessThan(1.5 * GIB);
  const { stdout } = await execute("/usr/sbin/sfdisk", ["--verify", server.diskPath]);
  expect(stdout).toMatch(/No errors detected/);
  await execute("/usr/sbin/e2fsck", [
    "-f",
    "-n",
    `${server.diskPath}?offset=${PARTITION_START_SECTOR * 512}`,
  ]);
});

test("it boots through firmware and GRUB and answers every check", { timeout: BOOT_MS_MAX }, async () => {
  await using machine = await start([
    "-nic",
    `user,model=virtio,hostfwd=tcp:127.0.0.1:PORT-:${server.sql.port}`,
  ]);
  await expectAnswers(machine);
});

test(
  "it starts from the extracted kernel, with another disk bus and card, and shows its login",
  { timeout: BOOT_MS_MAX },
  async () => {
    const { kernelPath, initrdPath, commandLine } = server.directStart;
    const direct = ["-kernel", kernelPath, "-initrd", initrdPath, "-append", commandLine];
    await using machine = await start(
      ["-nic", `user,model=e1000,hostfwd=tcp:127.0.0.1:PORT-:${server.sql.port}`, ...direct],
      "none",
    );
    await expectAnswers(machine);
    while (!(await readFile(machine.serialLog, "utf8")).includes(`${server.hostName} login:`))
      await machine.pause();
  },
);

type Machine = AsyncDisposable & {
  readonly port: number;
  readonly serialLog: string;
  /** A moment; rejects if the machine is gone. */
  pause(): Promise<void>;
};

/** QEMU without KVM, as on a machine that has none. Writes go to a temporary file of QEMU's, so each test starts afresh. */
async function start(args: readonly string[], bus: "virtio" | "none" = "virtio"): Promise<Machine> {
  const port = await freePort();
  const serialLog = path.join(folder, `serial-${port}.log`);
  const drive = `file=${server.diskPath},format=raw,snapshot=on,if=${bus}${bus === "none" ? ",id=root" : ""}`;
  const devices = bus === "none" ? ["-device", "nvme,drive=root,serial=1"] : [];
  const machine = ["-accel", "tcg,thread=multi,tb-size=1024", "-smp", "2", "-m", "1024", "-cpu", "qemu64"];
  const outputs = ["-display", "none", "-serial", `file:${serialLog}`];
  const rest = args.map((argument) => argument.replace("PORT", String(port)));
  const child = spawn("qemu-system-x86_64", [...machine, "-drive", drive, ...devices, ...outputs, ...rest], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => {
    complaint += bytes.toString();
  });
  const pause = async (): Promise<void> => {
    if (isGone(child)) throw new Error(`QEMU ended: ${complaint}`);
    await sleep(200);
  };
  return { port, serialLog, pause, [Symbol.asyncDispose]: () => end(child) };
}

async function expectAnswers(machine: Machine): Promise<void> {
  await using database = await connect(machine);
  for (const { query, answer } of server.sql.checks) {
    const { rows } = await database.client.query<string[]>({ text: query, rowMode: "array" });
    expect({ query, answer: String(rows[0]?.[0]) }).toEqual({ query, answer });
  }
}

async function connect(machine: Machine): Promise<AsyncDisposable & { readonly client: Client }> {
  const { user, password, database } = server.sql;
  for (;;) {
    const client = new Client({
      host: "127.0.0.1",
      port: machine.port,
      user,
      password,
      database,
      connectionTimeoutMillis: 10_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return { client, [Symbol.asyncDispose]: () => client.end() };
    } catch {
      await client.end().catch(() => {});
      await machine.pause();
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo; // a TCP server's address is never a string
  probe.close();
  await once(probe, "close");
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
