export * from "./assert.ts";
export * from "./bytes.ts";
export * from "./clock.ts";
export * from "./duration.ts";
export * from "./error.ts";
export * from "./ids.ts";
export * from "./limit.ts";
export * from "./retry.ts";
