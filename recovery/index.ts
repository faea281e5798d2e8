export { overlayErrors } from "./overlay/errors.ts";
export { openOverlay, type OpenOverlayOptions, type Overlay } from "./overlay/overlay.ts";
export { parsePointName, type PointName } from "./serve/point-name.ts";
export { serveDisk, servePoint, type ServedDisk, type ServePointOptions } from "./serve/serve-point.ts";
export { runRecovery, type Recovery, type RecoveryOptions } from "./session/run-recovery.ts";
export { recoveryErrors } from "./errors.ts";
export { openExt4, type Ext4 } from "./ext4/file-system.ts";
export { readPartitions, type Partition } from "./ext4/partitions.ts";
export { prepareDirectKernel, type PreparedKernel } from "./machine/direct-kernel.ts";
export {
  runMachine,
  type RecoveredDisk,
  type RunMachineOptions,
  type RunMachineResult,
} from "./machine/run-machine.ts";
export type { ProbeContext } from "./probes/attempts.ts";
export { parseProbe } from "./probes/parse-probe.ts";
export * from "./probes/probe-spec.ts";
export { runProbe, type RunProbeOptions } from "./probes/run-probe.ts";
export { requiredDebianPackages } from "./required-packages.ts";
export { examineScreen, recogniseText, type Screen } from "./screen/screen.ts";
export * from "./timeline/timeline.ts";
