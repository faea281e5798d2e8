export * from "./agents.ts";
export * from "./enrolment.ts";
export * from "./events.ts";
export * from "./module.ts";
