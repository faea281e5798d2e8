export { captureErrors } from "./errors.ts";
export { backupFiles, type BackupFilesOptions, type FilesResult } from "./files/backup-files.ts";
export { backupImage, type BackupImageOptions, type BackupResult } from "./image/backup-image.ts";
export type { DiskResult } from "./image/write-disk.ts";
export { diskKindOf, type DiskSource } from "./image/disk-source.ts";
export type { BackupProgress, OnProgress } from "./progress.ts";
