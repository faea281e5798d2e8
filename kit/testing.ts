export { fakeClock, type FakeClock } from "./clock.ts";
