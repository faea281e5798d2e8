export { describeBackendContract, type BackendUnderTest } from "./backend/contract-suite.ts";
export { createFaultyBackend, type Fault, type FaultPlan, type FaultyBackend } from "./backend/faulty.ts";
export {
  createTestFolder,
  createTestReplica,
  createTestRepository,
  diskOf,
  noise,
  reopen,
  testSeed,
  TEST_PASSWORD,
  type TestFolder,
} from "./test-repository.ts";
export { writeIndexes } from "./index/write-index.ts";
