/** What a machine is to be, as a value, and the limits it must keep. */

import { GIB, MIB } from "@mainstay/kit";
import { SOCKET_PATH_BYTES_MAX } from "./connect-socket.ts";
import { qemuErrors } from "./errors.ts";

const MEMORY_BYTES_MIN = 16 * MIB;
const MEMORY_BYTES_MAX = 1024 * GIB;
const CPUS_MAX = 64;
const DISKS_MAX = 16;
const FORWARDS_MAX = 32;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** Of one controller: four on the old IDE channels, six on AHCI. */
const IDE_DISKS_MAX = 4;
const SATA_DISKS_MAX = 6;

export type NbdAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export type DiskSource =
  | { readonly kind: "nbd"; readonly address: NbdAddress; readonly exportName: string }
  | { readonly kind: "file"; readonly path: string; readonly format: "raw" | "qcow2" };

export type DiskBus = "virtio" | "sata" | "nvme" | "ide";

export type MachineDisk = {
  readonly source: DiskSource;
  /** What the guest sees. `sata` suits most systems that never met virtio. */
  readonly bus: DiskBus;
  readonly readOnly?: boolean;
};

export type Forward = {
  /** A loopback address unless the caller says otherwise. */
  readonly host?: string;
  /** 0: a free one, which `Machine.forwards` tells. */
  readonly hostPort: number;
  readonly guestPort: number;
};

export type MachineNetwork =
  | { readonly kind: "none" }
  | {
      readonly kind: "user";
      /** `true`: the guest reaches nothing but the forwards, which is what restore tests want. */
      readonly restrict: boolean;
      readonly forwards: readonly Forward[];
      /** The card the guest sees; `e1000` suits systems without virtio. */
      readonly card?: "virtio" | "e1000";
    };

export type DirectKernel = {
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine: string;
};

export type MachineSpec = {
  readonly name: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** In the order the firmware tries them. */
  readonly disks: readonly MachineDisk[];
  readonly firmware: "bios" | "uefi";
  readonly network: MachineNetwork;
  readonly directKernel?: DirectKernel;
  /** Writes go to a file that is deleted with the machine; the disks stay as they are. */
  readonly snapshotBoot?: boolean;
  /** A unix socket for a VNC viewer. */
  readonly vncSocket?: string;
  /** The serial console's text also goes to this file, up to 16 MiB. */
  readonly serialLog?: string;
  /** A second monitor, for others (capture of a running machine); our own is private. */
  readonly qmpSocket?: string;
  /** The guest agent's channel is there unless this is `false`. */
  readonly guestAgent?: boolean;
  /** Where files of this run lie; a fresh private folder in the system's temporary one unless told. */
  readonly runtimeDirectory?: string;
};

/** Throws `qemu.spec-refused` with the first rule that `spec` breaks. */
export function checkSpec(spec: MachineSpec): void {
  if (!NAME_PATTERN.test(spec.name))
    refuse("name", spec.name.slice(0, 80), "1 to 63 letters, digits, dots, dashes or underlines");
  const { memoryBytes, cpus, disks } = spec;
  if (!within(memoryBytes, MEMORY_BYTES_MIN, MEMORY_BYTES_MAX))
    refuse("memory", memoryBytes, `${MEMORY_BYTES_MIN} to ${MEMORY_BYTES_MAX} bytes`);
  if (!within(cpus, 1, CPUS_MAX)) refuse("processors", cpus, `1 to ${CPUS_MAX}`);
  if (disks.length > DISKS_MAX) refuse("disks", disks.length, `at most ${DISKS_MAX}`);
  if (countOn(disks, "ide") > IDE_DISKS_MAX)
    refuse("ide disks", countOn(disks, "ide"), `at most ${IDE_DISKS_MAX}`);
  if (countOn(disks, "sata") > SATA_DISKS_MAX)
    refuse("sata disks", countOn(disks, "sata"), `at most ${SATA_DISKS_MAX}`);
  checkForwards(spec.network);
  for (const path of [spec.vncSocket, spec.qmpSocket]) {
    if (path !== undefined && Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
      refuse("socket path", path, `at most ${SOCKET_PATH_BYTES_MAX} bytes`);
  }
}

function checkForwards(network: MachineNetwork): void {
  if (network.kind === "none") return;
  if (network.forwards.length > FORWARDS_MAX)
    refuse("forwards", network.forwards.length, `at most ${FORWARDS_MAX}`);
  const guestPorts = new Set<number>();
  for (const forward of network.forwards) {
    if (!within(forward.hostPort, 0, 65_535)) refuse("host port", forward.hostPort, "0 to 65535");
    if (!within(forward.guestPort, 1, 65_535)) refuse("guest port", forward.guestPort, "1 to 65535");
    if (guestPorts.has(forward.guestPort))
      refuse("forwards", `port ${forward.guestPort} twice`, "each guest port once");
    if (forward.host !== undefined && !/^[0-9.]{7,15}$/.test(forward.host))
      refuse("host address", forward.host, "an IPv4 address");
    guestPorts.add(forward.guestPort);
  }
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function countOn(disks: readonly MachineDisk[], bus: DiskBus): number {
  return disks.filter((disk) => disk.bus === bus).length;
}

function refuse(what: string, found: string | number, wanted: string): never {
  throw qemuErrors.error("spec-refused", `Cannot start machine: found ${what} ${found}, wanted ${wanted}`, {
    values: { what, found },
  });
}
