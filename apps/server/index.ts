export * from "./admin.ts";
export * from "./main.ts";
export { readRunningFile, type RunningFile } from "./running-file.ts";
export * from "./peer-invitation.ts";
