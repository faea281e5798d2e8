import { execFileSync } from "node:child_process";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { detectAccelerator, type Accelerator } from "./accelerator.ts";
import { qemuErrors } from "./errors.ts";
import { startMachine, type Machine } from "./machine.ts";
import type { DiskBus, MachineSpec } from "./machine-spec.ts";
import { connectQmp } from "./qmp.ts";
import { bootSector } from "./testing.ts";

let directory: string;
let disk: string;
let accelerator: Accelerator;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-machine-test-"));
  disk = join(directory, "disk, with a comma.raw");
  const image = Buffer.alloc(4 * MIB);
  image.set(bootSector(), 0);
  await writeFile(disk, image);
  accelerator = await detectAccelerator();
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function specOf(changes: Partial<MachineSpec> = {}, bus: DiskBus = "virtio"): MachineSpec {
  return {
    name: "test-machine",
    memoryBytes: 64 * MIB,
    cpus: 1,
    disks: [{ source: { kind: "file", path: disk, format: "raw" }, bus }],
    firmware: "bios",
    network: { kind: "none" },
    ...changes,
  };
}

function start(changes: Partial<MachineSpec> = {}, bus: DiskBus = "virtio"): Promise<Machine> {
  return startMachine(specOf(changes, bus), { accelerator });
}

describe("startMachine", () => {
  test("boots a disk, follows its serial line and its firmware, photographs it, and leaves nothing behind", async () => {
    const serialLog = join(directory, "serial.log");
    const machine = await start({ serialLog });
    await machine.firmwareText.waitFor(/Booting from/, { timeoutMs: 20_000 });
    await machine.serial.waitFor(/login:/, { timeoutMs: 20_000 });
    const picture = PNG.sync.read(Buffer.from(await machine.screenshot()));
    expect(picture.width).toBeGreaterThanOrEqual(640);
    expect(picture.data.some((value, index) => index % 4 === 0 && value > 100)).toBe(true);
    const use = await machine.use();
    expect(use.memoryBytes).toBeGreaterThan(MIB);
    expect(use.cpuSeconds).toBeGreaterThan(0);
    await machine.stop();
    await machine.stop();
    expect((await machine.exited).status).toBe(0);
    await expect(machine.use()).rejects.toSatisfy((cause) => qemuErrors.is(cause, "exited"));
    await expect(machine.serial.waitFor(/never/)).rejects.toSatisfy((cause) =>
      qemuErrors.is(cause, "closed"),
    );
  });

  test.each(["sata", "ide", "nvme"] as const)("boots from a disk on %s", async (bus) => {
    await using machine = await start({}, bus);
    await machine.serial.waitFor(/login:/, { timeoutMs: 30_000 });
  });

  test("boots to UEFI's own screen where the disk has no loader for it", async () => {
    await using machine = await start({ firmware: "uefi", memoryBytes: 256 * MIB });
    await machine.serial.waitFor(/Boot|UEFI|Shell/, { timeoutMs: 60_000 });
  });

  test("keeps a disk as it is in a snapshot boot", async () => {
    const before = execFileSync("sha256sum", [disk]).toString();
    await using machine = await start({ snapshotBoot: true });
    await machine.serial.waitFor(/login:/, { timeoutMs: 20_000 });
    const written = await machine.qmp.human(
      'qemu-io -d /machine/peripheral/device0/virtio-backend "write -P 7 1M 64k"',
    );
    expect(written).not.toMatch(/failed|error/i);
    await machine.stop();
    expect(execFileSync("sha256sum", [disk]).toString()).toBe(before);
  });

  test("tells the ports that the kernel chose, and that nobody in the guest accepted", async () => {
    const network = {
      kind: "user",
      restrict: true,
      forwards: [
        { hostPort: 0, guestPort: 5432 },
        { hostPort: 0, guestPort: 80 },
      ],
    } as const;
    await using machine = await start({ network });
    expect(machine.forwards.map((one) => one.guestPort)).toEqual([5432, 80]);
    const [first, second] = machine.forwards;
    expect(first?.hostPort).toBeGreaterThan(0);
    expect(second?.hostPort).not.toBe(first?.hostPort);
    const client = connect(first?.hostPort ?? 0, "127.0.0.1");
    await new Promise((resolve) => client.once("connect", resolve));
    // QEMU accepts at once; the guest has no network at all.
    expect(await machine.isConnectionEstablished(client.localPort ?? 0)).toBe(false);
    client.destroy();
  });

  test("refuses a port that is taken, with QEMU's own words", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const hostPort = typeof address === "object" && address !== null ? address.port : 0;
    const network = { kind: "user", restrict: true, forwards: [{ hostPort, guestPort: 80 }] } as const;
    await expect(start({ network })).rejects.toThrow(
      /Cannot start machine test-machine: .*host forwarding rule/s,
    );
    server.close();
  });

  test("refuses a missing disk, a bad name and too much memory before or at the start", async () => {
    await expect(
      start({ disks: [{ source: { kind: "file", path: "/no/such", format: "raw" }, bus: "virtio" }] }),
    ).rejects.toThrow(/Cannot start machine test-machine: .*No such file/s);
    await expect(start({ name: "a,b" })).rejects.toThrow(/found name a,b, wanted 1 to 63 letters/);
    await expect(start({ memoryBytes: 2 ** 50 })).rejects.toSatisfy((cause) =>
      qemuErrors.is(cause, "spec-refused"),
    );
  });

  test("ends with the process that started it, even when that is killed", async () => {
    const script = `
      import { startMachine } from ${JSON.stringify(join(import.meta.dirname, "machine.ts"))};
      const machine = await startMachine(${JSON.stringify(specOf({ runtimeDirectory: directory }))}, { accelerator: ${JSON.stringify(accelerator)} });
      console.log(machine.pid);
      process.kill(process.pid, "SIGKILL");`;
    let pid = 0;
    try {
      execFileSync(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "ignore"],
      });
    } catch (cause) {
      pid = Number((cause as { stdout: Buffer }).stdout.toString()); // execFileSync throws with the output of the killed process
    }
    expect(pid).toBeGreaterThan(0);
    await expect
      .poll(
        () =>
          access(`/proc/${pid}/stat`).then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(false);
  });

  test("powers down a guest that does not listen by force, after the time told", async () => {
    const machine = await start();
    expect(await machine.powerDown({ timeoutMs: 200 })).toBe("forced");
    await machine.exited;
  });

  test("types what the keyboard has and refuses the rest before the first key", async () => {
    await using machine = await start();
    await machine.typeText("Ab 1!\n");
    await expect(machine.typeText("ok\u00e9")).rejects.toSatisfy((cause) =>
      qemuErrors.is(cause, "keys-refused"),
    );
  });
});

describe("connectQmp", () => {
  test("serves a second monitor, types failures, delivers events", async () => {
    const qmpSocket = join(directory, "second.sock");
    await using machine = await start({ qmpSocket });
    const qmp = await connectQmp(qmpSocket);
    expect(qmp.version).toMatch(/^\d+\.\d+\.\d+$/);
    await expect(qmp.execute("no-such-command")).rejects.toThrow(
      /Cannot run monitor command no-such-command: QEMU says/,
    );
    const stopped = qmp.waitForEvent("see it stop", (event) => event.name === "STOP", { timeoutMs: 30_000 });
    await qmp.execute("stop");
    expect((await stopped).name).toBe("STOP");
    const names: string[] = [];
    const iterating = (async () => {
      for await (const event of qmp.events()) names.push(event.name);
    })();
    await qmp.execute("cont");
    await machine.stop();
    await iterating;
    expect(names).toContain("RESUME");
    await expect(qmp.execute("query-status")).rejects.toSatisfy((cause) => qemuErrors.is(cause, "closed"));
  });

  test("gives up on a peer that sends no protocol, too much, or nothing", async () => {
    const answers = ["garbage\n", "x".repeat(17 * MIB), ""];
    for (const [index, answer] of answers.entries()) {
      const path = join(directory, `fake${index}.sock`);
      const server = createServer((socket) => socket.on("error", () => {}).write(answer || "\n")).listen(
        path,
      );
      await new Promise((resolve) => server.once("listening", resolve));
      const wanted = answer === "" ? "timed-out" : "protocol-broken";
      await expect(connectQmp(path, { timeoutMs: 1_000 })).rejects.toSatisfy((cause) =>
        qemuErrors.is(cause, wanted),
      );
      server.close();
    }
  });

  test("stops waiting when told to", async () => {
    const stop = new AbortController();
    const connecting = connectQmp(join(directory, "nobody.sock"), { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow(/enough|abort/);
  });
});
