import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import { openFileDevice, serveNbd, type BlockDevice } from "@mainstay/nbd";
import { bootSector } from "@mainstay/qemu/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseProbe } from "../probes/parse-probe.ts";
import { formatTimeline } from "../timeline/timeline.ts";
import { prepareDirectKernel } from "./direct-kernel.ts";
import { readGrubConfig } from "./grub-config.ts";
import { runMachine, type RunMachineOptions } from "./run-machine.ts";

let directory: string;
let diskPath: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-run-test-"));
  diskPath = join(directory, "disk.raw");
  await writeFile(diskPath, bootSector("Recovered and ready\r\nsrv login: "));
  await truncate(diskPath, 4 * MIB);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

type Changes = Partial<RunMachineOptions>;

/** Serves the disk as recovery does and runs it; the device tells its first read. */
async function run(name: string, changes: Changes): Promise<Awaited<ReturnType<typeof runMachine>>> {
  await using file = await openFileDevice(diskPath, { writable: true });
  const listeners: (() => void)[] = [];
  const device: BlockDevice = {
    ...file,
    read: (offset, length, signal) => {
      for (const listener of listeners) listener();
      return file.read(offset, length, signal);
    },
  };
  const path = join(directory, `${name}.sock`);
  await using _server = await serveNbd({ exports: new Map([["disk", device]]), listen: { path } });
  const disks = [{ address: { path }, exportName: "disk", bus: "virtio" }] as const;
  const shared = { name, memoryBytes: 64 * MIB, cpus: 1, firmware: "bios", disks, probes: [] } as const;
  const result = await runMachine({
    ...shared,
    onFirstBlock: (listener) => listeners.push(listener),
    ...changes,
  });
  await result.machine.stop();
  return result;
}

describe("runMachine", () => {
  test("boots out of NBD, dates its stages, proves it by the screen, photographs it", async () => {
    const timelineStartMs = performance.now();
    const timeline = [
      { stage: "located", atMs: 0 },
      { stage: "served", atMs: 0 },
    ] as const;
    const result = await run("proven", {
      probes: [parseProbe("screen?text=recovered and ready&timeout=60")],
      timeline,
      timelineStartMs,
      readScreen: true,
    });
    expect(result.outcome).toBe("passed");
    expect(result.timeline.map((entry) => entry.stage)).toEqual(
      expect.arrayContaining(["located", "served", "first-block", "firmware", "login", "probe-passed"]),
    );
    expect(formatTimeline(result.timeline)).toMatch(/^located 0.0 s → served 0.0 s → first-block/);
    expect(result.screen).toMatchObject({ blank: false });
    expect(result.screenText).toContain("ready");
  });

  test("without probes, a login proves it", async () => {
    expect((await run("login", {})).probes).toMatchObject([
      { state: "passed", asked: "the system asks for a login" },
    ]);
  });

  test("a machine that proves nothing is a failed result with its photograph", async () => {
    const result = await run("unproven", {
      probes: [parseProbe("tcp:5432?timeout=3"), parseProbe("guest:/bin/true?timeout=1")],
    });
    expect(result.outcome).toBe("failed");
    expect(result.reason).toMatch(/port 5432 answers: port 5432 did not answer; guest command .*: /);
    expect(result.timeline.map((entry) => entry.stage)).not.toContain("probe-passed");
    expect(result.screen).toBeDefined();
  });

  test("leaves no machine behind when aborted", async () => {
    const stop = new AbortController();
    let pid = 0;
    const running = run("aborted", {
      signal: stop.signal,
      probes: [parseProbe("tcp:1")],
      onMachine: (machine) => {
        pid = machine.pid;
        stop.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toThrow("enough");
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });
});

const GRUB = `set default="0"
menuentry 'Debian GNU/Linux' {
\tlinux\t/boot/vmlinuz-6.1.0-10-amd64 root=UUID=1234 ro  quiet
\tinitrd\t/boot/initrd.img-6.1.0-10-amd64
}
menuentry 'older' {
\tlinux\t/boot/vmlinuz-6.1.0-9-amd64 root=UUID=1234 ro single
}
`;

async function kernelDisk(name: string, config: string, environment = ""): Promise<BlockDevice> {
  const tree = join(directory, name);
  execFileSync("mkdir", ["-p", join(tree, "boot/grub")]);
  const kernel = Buffer.alloc(8192, 1);
  kernel.write("HdrS", 0x202);
  for (const version of ["6.1.0-10-amd64", "6.1.0-9-amd64"])
    await writeFile(join(tree, `boot/vmlinuz-${version}`), kernel);
  await writeFile(join(tree, "boot/initrd.img-6.1.0-10-amd64"), Buffer.from("1f8b0800", "hex"));
  await writeFile(join(tree, "boot/grub/grub.cfg"), config);
  await writeFile(join(tree, "boot/grub/grubenv"), environment);
  const part = join(directory, `${name}.part`);
  execFileSync("/usr/sbin/mke2fs", ["-q", "-F", "-t", "ext4", "-d", tree, part, "8M"], { stdio: "ignore" });
  const disk = join(directory, `${name}.disk`);
  await writeFile(disk, "");
  await truncate(disk, 12 * MIB);
  execFileSync("/usr/sbin/sfdisk", ["-q", disk], { input: "label: dos\nstart=2048,size=16384\n" });
  execFileSync("dd", [`if=${part}`, `of=${disk}`, "bs=1M", "seek=1", "conv=notrunc"], { stdio: "ignore" });
  return openFileDevice(disk);
}

describe("prepareDirectKernel", () => {
  test("takes the kernel, the RAM disk and the line that GRUB would", async () => {
    const device = await kernelDisk("good", GRUB);
    const prepared = await prepareDirectKernel(device, directory);
    expect(prepared).toMatchObject({
      state: "possible",
      journalPending: false,
      directKernel: { commandLine: "root=UUID=1234 ro  quiet" },
    });
    const path = prepared.state === "possible" ? prepared.directKernel.kernel : "";
    expect((await readFile(path)).byteLength).toBe(8192);
    await device.close();
  });

  test.each([
    ["saved", GRUB, "saved_entry=older\n", /remembers another choice, "older"/],
    ["default", GRUB.replace('"0"', '"1"'), "", /default entry is "1"/],
    ["variable", GRUB.replace("root=UUID=1234 ro  quiet", "root=$rootdev"), "", /variables of GRUB/],
    [
      "old",
      GRUB.replaceAll("6.1.0-10-amd64", "6.1.0-9-amd64"),
      "",
      /newest kernel is vmlinuz-6.1.0-10-amd64/,
    ],
    ["gone", GRUB.replaceAll("initrd.img-6.1.0-10-amd64", "initrd.img-nope"), "", /no "initrd.img-nope"/],
    ["windows", "insmod chain\n", "", /no entry starts a Linux kernel/],
  ])("says why it is not possible: %s", async (name, config, environment, reason) => {
    const device = await kernelDisk(name, config, environment);
    expect(await prepareDirectKernel(device, directory)).toMatchObject({
      state: "not-possible",
      reason: expect.stringMatching(reason),
    });
    await device.close();
  });

  test("says so of a disk without any Linux", async () => {
    await using device = await openFileDevice(diskPath);
    expect(await prepareDirectKernel(device, directory)).toMatchObject({
      state: "not-possible",
      reason: "no ext4 file system with a grub.cfg",
    });
  });
});

test("a variable in file names is resolved where it is set outside of conditions, once", () => {
  const config =
    "set kernel=full\nif true; then\n  set kernel=virtual\nfi\nlinux /vmlinuz.$kernel a\ninitrd /initrd.${kernel}\n";
  expect(readGrubConfig(config, "")).toEqual({
    state: "found",
    entry: { kernel: "/vmlinuz.full", initrd: "/initrd.full", commandLine: "a" },
  });
  expect(readGrubConfig(`set kernel=other\n${config}`, "")).toMatchObject({ state: "unclear" });
});

test("a kernel without a RAM disk does not take the next entry's", () => {
  expect(
    readGrubConfig("linux /vmlinuz-1 a\n}\nmenuentry 'x' {\nlinux /vmlinuz-2 b\ninitrd /i\n", ""),
  ).toEqual({
    state: "found",
    entry: { kernel: "/vmlinuz-1", initrd: undefined, commandLine: "a" },
  });
});
