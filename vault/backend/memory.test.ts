import { describeBackendContract } from "./contract-suite.ts";
import { createMemoryBackend } from "./memory.ts";

describeBackendContract("memory", async () => {
  const backend = createMemoryBackend();
  return { backend, reopen: () => backend, dispose: async () => {} };
});
