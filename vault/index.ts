export type { Backend, ByteRange, FileEntry, FileKind, FileRef } from "./backend/backend.ts";
export { withCounting, type CountingBackend, type Traffic } from "./backend/counting.ts";
export { createDiskBackend } from "./backend/disk.ts";
export { withPacing, type Pacing } from "./backend/limited.ts";
export { createMemoryBackend } from "./backend/memory.ts";
export { createAgent as createPinnedAgent } from "./backend/rest-trust.ts";
export { openBackend, type OpenBackendOptions } from "./backend/open-backend.ts";
export { createPacer, type Pacer } from "./backend/pacer.ts";
export { parseRestAddress, type RestAddress, type RestCredentials } from "./backend/rest-address.ts";
export type { RestTrust } from "./backend/rest-trust.ts";
export { createRestBackend, type RestOptions } from "./backend/rest.ts";
export { withRetries, type RetryPolicy } from "./backend/retrying.ts";
export { isZero } from "./chunker/zero.ts";
export { checkRepository, type CheckProgress, type CheckReport } from "./check/check-repository.ts";
export type { Finding } from "./check/finding.ts";
export { createChunker, type Chunker } from "./chunker/rabin.ts";
export { findNode, openContent, type ContentMap, type Piece } from "./content/content-map.ts";
export { openReader, type ContentReader, type ReaderOptions } from "./content/content-reader.ts";
export { vaultErrors } from "./errors.ts";
export { goModeOf, permissionsOf } from "./format/file-mode.ts";
export type { RepositoryVersion } from "./format/envelope.ts";
export { SCRYPT_COST, type ScryptCost } from "./format/key-file.ts";
export { isObjectId, shortId, type ObjectId } from "./format/object-id.ts";
export type { Snapshot } from "./format/snapshot.ts";
export type { NodeType, TreeNode } from "./format/tree.ts";
export { listImages, openImage, type DiskImage } from "./image/disk-image.ts";
export { createImageWriter, storeImageRoot, type ImageWriter } from "./image/image-writer.ts";
export {
  chunkCountOf,
  chunkLength,
  CHUNKS_PER_SEGMENT,
  IMAGE_TAG,
  layoutAfter,
  layoutFor,
  layoutWith,
  type ImageLayout,
} from "./image/layout.ts";
export { loadIndex } from "./index/load-index.ts";
export {
  type ForgetPlan,
  type ForgetPolicy,
  groupForForget,
  isEmptyForgetPolicy,
  KEEP_ALL,
  planForget,
} from "./maintenance/forget-policy.ts";
export { forgetPoints } from "./maintenance/forget-points.ts";
export { executePrune, type PruneOptions, type PruneResult } from "./maintenance/prune.ts";
export { planPrune, type PrunePlan } from "./maintenance/prune-plan.ts";
export { reconcilePacks } from "./repository/adopt-packs.ts";
export { readTree } from "./repository/blob-reader.ts";
export {
  openWriter,
  type BlobWriter,
  type WriteBuffer,
  type WriteFigures,
} from "./repository/blob-writer.ts";
export { currentUser, type CurrentUser } from "./repository/current-user.ts";
export { isDamage } from "./repository/damage.ts";
export { lockRepository, type HeldLock } from "./repository/lock.ts";
export {
  addKey,
  createRepository,
  openRepository,
  type CreateOptions,
  type OpenOptions,
} from "./repository/open.ts";
export type { Repository } from "./repository/repository.ts";
export { findSnapshot, listSnapshots, saveSnapshot } from "./repository/snapshots.ts";
export { executeRepairIndex, planRepairIndex, type RepairIndexPlan } from "./maintenance/repair-index.ts";
export {
  executeReplication,
  planReplication,
  type ReplicationPlan,
  type ReplicationResult,
} from "./replicate/replicate.ts";
export { executeRestore, planRestore, type RestorePlan } from "./restore/restore-image.ts";
export {
  executeTreeRestore,
  planTreeRestore,
  type TreeRestorePlan,
  type TreeRestoreResult,
} from "./restore/restore-tree.ts";
