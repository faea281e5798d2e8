export { defaultCacheFolder } from "./cache.ts";
export type { SqlCheck } from "./database.ts";
export { sampleErrors } from "./errors.ts";
export { SAMPLE_CREDENTIALS, type SampleVariant } from "./recipe.ts";
export { missingPackages, requiredDebianPackages, type RequiredDebianPackage } from "./required-packages.ts";
export {
  buildSampleServer,
  type SampleProgress,
  type SampleServer,
  type SampleServerRequest,
  type SampleStep,
} from "./sample-server.ts";
