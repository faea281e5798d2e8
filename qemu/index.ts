/** The door of `qemu`: machines as processes, their monitor, their screen, their disks while they run. */

export * from "./accelerator.ts";
export { diskNodeName } from "./command-line.ts";
export type { Waiting } from "./deadline.ts";
export * from "./dirty-bitmap.ts";
export * from "./errors.ts";
export * from "./export.ts";
export * from "./fleecing.ts";
export { isConnectionEstablished, type OpenForward } from "./forwards.ts";
export { guestAgentOver, type GuestAgent, type GuestCommandResult } from "./guest-agent.ts";
export type { GuestText } from "./guest-text.ts";
export { connectSocket } from "./connect-socket.ts";
export { sendKeys, typeText } from "./keyboard.ts";
export * from "./machine-spec.ts";
export * from "./machine.ts";
export * from "./move-disk.ts";
export type { Exit, ProcessUse } from "./process.ts";
export * from "./qmp.ts";
export * from "./required-packages.ts";
export { takeScreenshot } from "./screen-dump.ts";
export { virtualSize } from "./snapshot-file.ts";
