/** A machine's description → QEMU's arguments. Pure, so that what runs can be read and tested. */

import { MIB, unreachable } from "@mainstay/kit";
import type { AcceleratorKind } from "./accelerator.ts";
import { ringBytes } from "./guest-text.ts";
import type { DiskSource, MachineDisk, MachineNetwork, MachineSpec } from "./machine-spec.ts";

/** Paths of one run, all in its private folder. */
export type RunPaths = {
  readonly control: string;
  readonly serial: string;
  readonly agent: string;
  readonly firmwareVariables: string;
  /** The throw-away writes of disk `index` in a snapshot boot. */
  snapshot(index: number): string;
};

/** Block node and device of disk `index`; stable, since capture and `moveToDisk` name disks by them. */
export const diskNodeName = (index: number): string => `disk${index}`;
const originNodeName = (index: number): string => `disk${index}-origin`;

/** Debian's OVMF; the variables are copied for each run. */
export const ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd";
export const ovmfVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/** The character device that holds the firmware's text. */
export const firmwareRing = "firmware0";

const TRANSLATION_BUFFER_MIB = 1024;
const NETWORK_ID = "net0";

export function commandLine(
  spec: MachineSpec,
  accelerator: AcceleratorKind,
  paths: RunPaths,
): readonly string[] {
  return [
    "-name",
    option(`guest=${spec.name}`, {}),
    "-nodefaults",
    "-no-user-config",
    "-S",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine",
    "pc,usb=off,dump-guest-core=off",
    ...processorArguments(spec, accelerator),
    "-m",
    `${Math.ceil(spec.memoryBytes / MIB)}M`,
    "-rtc",
    "base=utc",
    "-device",
    "virtio-rng-pci",
    ...firmwareArguments(spec, paths),
    ...monitorArguments(spec, paths),
    ...channelArguments(spec, paths),
    ...displayArguments(spec),
    ...diskArguments(spec, paths),
    ...networkArguments(spec.network),
    ...kernelArguments(spec),
  ];
}

/** `first,key=value`, with the commas inside values doubled as QEMU's option syntax wants. */
function option(first: string, values: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(values).map(([key, value]) => `${key}=${String(value).replaceAll(",", ",,")}`);
  return [first, ...parts].join(",");
}

function processorArguments(spec: MachineSpec, accelerator: AcceleratorKind): readonly string[] {
  // Under TCG `max` boots as quickly as qemu64 and also suits systems built for x86-64-v2 and v3. Five-level paging is
  // left out: a kernel that finds it walks one table more for each translated address.
  const model = accelerator === "kvm" ? "host" : "max,la57=off";
  const engine = accelerator === "kvm" ? "kvm" : `tcg,thread=multi,tb-size=${TRANSLATION_BUFFER_MIB}`;
  return ["-accel", engine, "-cpu", model, "-smp", `cpus=${spec.cpus},sockets=1`];
}

function firmwareArguments(spec: MachineSpec, paths: RunPaths): readonly string[] {
  // SeaBIOS tells on this port what it does: the surest sign that the firmware handed over to the boot loader.
  const text = [
    "-chardev",
    option("ringbuf", { id: firmwareRing, size: ringBytes }),
    "-device",
    "isa-debugcon,iobase=0x402,chardev=firmware0",
  ];
  if (spec.firmware === "bios") return text;
  return [
    ...text,
    "-drive",
    option("if=pflash", { unit: 0, format: "raw", readonly: "on", file: ovmfCode }),
    "-drive",
    option("if=pflash", { unit: 1, format: "raw", file: paths.firmwareVariables }),
  ];
}

function monitorArguments(spec: MachineSpec, paths: RunPaths): readonly string[] {
  const own = ["-chardev", socketServer("control0", paths.control), "-mon", "chardev=control0,mode=control"];
  if (spec.qmpSocket === undefined) return own;
  return [
    ...own,
    "-chardev",
    socketServer("monitor1", spec.qmpSocket),
    "-mon",
    "chardev=monitor1,mode=control",
  ];
}

function channelArguments(spec: MachineSpec, paths: RunPaths): readonly string[] {
  const serial = ["-chardev", socketServer("serial0", paths.serial), "-serial", "chardev:serial0"];
  if (spec.guestAgent === false) return serial;
  return [
    ...serial,
    "-device",
    "virtio-serial-pci",
    "-chardev",
    socketServer("agent0", paths.agent),
    "-device",
    "virtserialport,chardev=agent0,id=agent0,name=org.qemu.guest_agent.0",
  ];
}

function socketServer(id: string, path: string): string {
  return option("socket", { id, path, server: "on", wait: "off" });
}

function displayArguments(spec: MachineSpec): readonly string[] {
  const card = ["-device", "VGA", "-display", "none"];
  if (spec.vncSocket === undefined) return card;
  // A tablet gives the viewer absolute positions; without it the pointer drifts from the viewer's own.
  return [
    ...card,
    "-vnc",
    option(`unix:${spec.vncSocket.replaceAll(",", ",,")}`, {}),
    "-device",
    "qemu-xhci",
    "-device",
    "usb-tablet",
  ];
}

function diskArguments(spec: MachineSpec, paths: RunPaths): readonly string[] {
  const controller = spec.disks.some((disk) => disk.bus === "sata") ? ["-device", "ich9-ahci,id=ahci0"] : [];
  const perDisk = spec.disks.flatMap((disk, index) => [
    ...blockArguments(disk, index, spec.snapshotBoot === true ? paths.snapshot(index) : undefined),
    "-device",
    JSON.stringify(diskDevice(spec.disks, index)),
  ]);
  return [...controller, ...perDisk];
}

function blockArguments(disk: MachineDisk, index: number, snapshot: string | undefined): readonly string[] {
  const own = { "node-name": snapshot === undefined ? diskNodeName(index) : originNodeName(index) };
  const readOnly = disk.readOnly === true || snapshot !== undefined;
  const node = { ...own, ...blockDriver(disk.source), "read-only": readOnly, discard: "unmap" };
  const block = ["-blockdev", JSON.stringify(node)];
  if (snapshot === undefined) return block;
  const file = { driver: "file", filename: snapshot };
  const overlay = {
    driver: "qcow2",
    "node-name": diskNodeName(index),
    file,
    backing: originNodeName(index),
    discard: "unmap",
  };
  return [...block, "-blockdev", JSON.stringify(overlay)];
}

/** The block driver of a source, as `blockdev-add` and `-blockdev` take it. */
export function blockDriver(source: DiskSource): Readonly<Record<string, unknown>> {
  if (source.kind === "file")
    return { driver: source.format, file: { driver: "file", filename: source.path } };
  const { address } = source;
  const server =
    "path" in address
      ? { type: "unix", path: address.path }
      : { type: "inet", host: address.host, port: String(address.port) };
  return { driver: "nbd", server, export: source.exportName };
}

function diskDevice(disks: readonly MachineDisk[], index: number): Readonly<Record<string, unknown>> {
  const bus = disks[index]?.bus ?? "virtio";
  const place = disks.slice(0, index).filter((disk) => disk.bus === bus).length;
  const shared = { id: `device${index}`, drive: diskNodeName(index), bootindex: index + 1 };
  switch (bus) {
    case "virtio":
      return { driver: "virtio-blk-pci", ...shared };
    case "nvme":
      return { driver: "nvme", ...shared, serial: `mainstay${index}` };
    case "sata":
      return { driver: "ide-hd", ...shared, bus: `ahci0.${place}` };
    case "ide":
      return { driver: "ide-hd", ...shared, bus: `ide.${Math.floor(place / 2)}`, unit: place % 2 };
    default:
      return unreachable(bus);
  }
}

function networkArguments(network: MachineNetwork): readonly string[] {
  if (network.kind === "none") return ["-nic", "none"];
  const forwards = network.forwards.map(
    (one) => `hostfwd=tcp:${one.host ?? "127.0.0.1"}:${one.hostPort}-:${one.guestPort}`,
  );
  const isolation = `restrict=${network.restrict ? "on" : "off"}`;
  const card = network.card === "e1000" ? "e1000" : "virtio-net-pci";
  return [
    "-netdev",
    ["user", `id=${NETWORK_ID}`, isolation, "ipv6=off", ...forwards].join(","),
    // Without a boot ROM the firmware cannot lose time on network boot, nor load what a foreign network offers.
    "-device",
    `${card},netdev=${NETWORK_ID},romfile=`,
  ];
}

function kernelArguments(spec: MachineSpec): readonly string[] {
  if (spec.directKernel === undefined) return [];
  const { kernel, initrd, commandLine: append } = spec.directKernel;
  return ["-kernel", kernel, ...(initrd === undefined ? [] : ["-initrd", initrd]), "-append", append];
}
