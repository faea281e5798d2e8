export { runDemo, type DemoOptions, type DemoReport } from "./run-demo.ts";
