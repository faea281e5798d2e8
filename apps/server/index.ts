export * from "./admin.ts";
export * from "./main.ts";
