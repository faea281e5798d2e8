export { describeBackendContract, type BackendUnderTest } from "./backend/contract-suite.ts";
export { createFaultyBackend, type Fault, type FaultPlan, type FaultyBackend } from "./backend/faulty.ts";
