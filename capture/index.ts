export { backupFiles, type BackupFilesOptions, type FilesResult } from "./files/backup-files.ts";
export { captureErrors } from "./errors.ts";
export {
  backupImage,
  type BackupImageOptions,
  type BackupResult,
  type DiskResult,
  type DiskToBackUp,
} from "./image/backup-image.ts";
export type { ImageSource } from "./image/image-source.ts";
export { openRawSource } from "./image/raw-source.ts";
export type { BackupProgress, OnProgress } from "./progress.ts";
