/** Where the files of a repository lie. The engine knows nothing else of disks, networks or clouds. */

/** The kinds of file of restic's repository format; each but `config` is a folder of files named by their SHA-256. */
export const FILE_KINDS = ["config", "keys", "locks", "snapshots", "index", "data"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

/** One file; `config` has the empty name, all others 64 lower-case hexadecimal digits. */
export type FileRef = { readonly kind: FileKind; readonly name: string };

export type FileEntry = { readonly name: string; readonly sizeBytes: number };

/** Bytes `[offset, offset + length)` of a file. */
export type ByteRange = { readonly offset: number; readonly length: number };

/**
 * Failures: `vault.file-missing` (the file is not there: final), `vault.backend-unreachable` (may pass: try again),
 * `vault.backend-full` (no room), `vault.backend-refused` (credentials, or append-only: final),
 * `vault.file-exists` (a different file of that name is there: final).
 */
export type Backend = {
  /** For messages: a folder, or an address without credentials. */
  readonly location: string;

  /** Makes the folders of an empty repository. May be called again. */
  create(): Promise<void>;

  /** The size, or `undefined` if the file is not there. */
  stat(file: FileRef): Promise<number | undefined>;

  /** All whole files of the kind, in no order. What is being written is not listed. */
  list(kind: FileKind, signal?: AbortSignal): AsyncIterable<FileEntry>;

  /**
   * The whole file, or the range of it. A range that ends beyond the file is `vault.file-truncated`.
   * The bytes belong to the caller.
   */
  read(file: FileRef, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;

  /**
   * Stores the parts, one after the other, as one file. Resolves only when the file is durable under its name; before
   * that nobody sees it. May be called again with the same content, as after a lost answer.
   */
  write(file: FileRef, parts: readonly Uint8Array[], signal?: AbortSignal): Promise<void>;

  /** Removes the file. Succeeds if it is not there. */
  remove(file: FileRef): Promise<void>;

  close(): Promise<void>;
};
