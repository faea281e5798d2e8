export { captureSources } from "./backup/capture-sources.ts";
export type { Capture, Captured, CaptureRequest } from "./backup/capture.ts";
export { enrol, type Enrolled, type EnrolOptions } from "./enrol.ts";
export { agentErrors } from "./errors.ts";
export type { Log, LogLevel } from "./log.ts";
export { runAgent, type RunOptions } from "./run.ts";
