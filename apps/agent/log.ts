/** What the agent tells whoever runs it: one line for each thing that happened. */

export type LogLevel = "info" | "warning" | "error";

export type Log = (level: LogLevel, message: string, values?: Readonly<Record<string, unknown>>) => void;
