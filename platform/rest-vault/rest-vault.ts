/**
 * The server side of restic's REST protocol (restic documentation, "REST Backend", versions 1 and 2): any restic client backs
 * up into Mainstay as it is, and so do our own agents and other Mainstays.
 *
 * A handler for node:http and for whatever speaks its request and response. It knows no customers and no databases:
 * the caller's `authorize` says for each request which folder the credentials open, and how far. Deliberately absent:
 * removing a whole repository, which is a decision of retention and never a client's.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { systemCodeOf } from "@mainstay/kit";
import { answerFile, answerFileHead, answerListing, answerText } from "./answers.ts";
import {
  createFolder,
  listStored,
  openStored,
  removeStored,
  sizeOfStored,
  store,
} from "./repository-folder.ts";
import { parseRequestPath, type RequestPath, type Target } from "./request-path.ts";

/** What the request wants to do with the repository. */
export type VaultVerb = "read" | "write" | "remove" | "create";

export type VaultAccessRequest = {
  readonly user: string;
  readonly password: string;
  readonly repository: string;
  readonly verb: VaultVerb;
};

export type VaultAccess =
  /** No such user, or not this password: 401. */
  | { readonly kind: "unknown" }
  /** Known, but this repository or verb is not theirs: 403. */
  | { readonly kind: "forbidden" }
  | {
      readonly kind: "allowed";
      /** Where the repository lies. From the credentials, never from the request alone. */
      readonly folder: string;
      /** Append-only: nothing but locks can be removed. */
      readonly mode: "full" | "append-only" | "read-only";
      /** Whether so many bytes more may be stored; asked before each upload. Absent: as long as the disk has room. */
      readonly mayStore?: (sizeBytes: number) => boolean | Promise<boolean>;
    };

export type VaultStoredEvent = {
  readonly repository: string;
  readonly kind: string;
  readonly sizeBytes: number;
};

export type RestVaultOptions = {
  readonly authorize: (request: VaultAccessRequest) => VaultAccess | Promise<VaultAccess>;
  /** Where the vault is mounted, such as `/vault`; without a slash at the end. */
  readonly prefix?: string;
  /** The largest file taken. */
  readonly fileBytesMax?: number;
  /** A file is durable, before the client is told. */
  readonly onStored?: (event: VaultStoredEvent) => void;
  /** A failure of this machine, for the log. */
  readonly onFailure?: (cause: unknown, request: string) => void;
};

export type RestVault = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** restic's packs are at most 128 MiB and an index a few; a body above this is none of a backup. */
const FILE_BYTES_MAX = 1024 * 1024 * 1024;

/** More than a pack, which is what a client sends before it looks at the answer. */
const DRAIN_BYTES_MAX = 256 * 1024 * 1024;

const CREDENTIALS_CHARS_MAX = 1024;

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

type AllowedAccess = Extract<VaultAccess, { kind: "allowed" }>;

/** The handler. It answers every request, and never rejects. */
export function createRestVault(options: RestVaultOptions): RestVault {
  return async (request, response) => {
    try {
      await serve(options, request, response);
    } catch (cause) {
      const what = `${request.method} ${request.url}`;
      // A client that hangs up is not a failure of this machine.
      const hasLeft = request.destroyed || response.destroyed;
      if (!hasLeft) options.onFailure?.(cause, what);
      if (response.headersSent) response.destroy();
      else if (FULL.has(systemCodeOf(cause) ?? "")) answerText(response, 507, "no room left on the server");
      else answerText(response, 500, `the server failed (${systemCodeOf(cause) ?? "unknown"})`);
    } finally {
      if (!request.complete) drain(request);
    }
  };
}

/** Lets a refused upload run out, so that its sender gets to read the answer; but not for ever. */
function drain(request: IncomingMessage): void {
  let leftBytes = DRAIN_BYTES_MAX;
  request.on("data", (piece: Uint8Array) => {
    leftBytes -= piece.length;
    if (leftBytes < 0) request.destroy();
  });
  request.resume();
}

async function serve(
  options: RestVaultOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const prefix = options.prefix ?? "";
  const parsed = path.startsWith(prefix) ? parseRequestPath(path.slice(prefix.length)) : undefined;
  if (parsed === undefined) return answerText(response, 404, "no path of restic's REST protocol");
  const verb = verbOf(request.method, parsed.target, query);
  if (verb === undefined)
    return answerText(response, 405, "no method of restic's REST protocol for this path");
  const credentials = credentialsOf(request);
  const access: VaultAccess =
    credentials === undefined
      ? { kind: "unknown" }
      : await options.authorize({ ...credentials, repository: parsed.repository, verb });
  if (access.kind === "unknown") {
    response.setHeader("www-authenticate", 'Basic realm="vault", charset="UTF-8"');
    return answerText(response, 401, "unknown user or wrong password");
  }
  if (access.kind === "forbidden") return answerText(response, 403, "not allowed with these credentials");
  if (!allows(access, verb, parsed.target))
    return answerText(response, 403, `the repository is ${access.mode}`);
  switch (verb) {
    case "create":
      await createFolder(access.folder);
      return answerText(response, 200, "");
    case "read":
      return read(access.folder, parsed.target, request, response);
    case "write":
      return write(options, access, parsed, request, response);
    case "remove":
      return remove(access.folder, parsed.target, response);
  }
}

/** `undefined` if the protocol has no such request. */
function verbOf(method: string | undefined, target: Target, query: string): VaultVerb | undefined {
  const isFile = target.kind === "file" || target.kind === "config";
  if (method === "POST" && target.kind === "repository")
    return query === "create=true" ? "create" : undefined;
  if (method === "GET" && target.kind === "listing") return "read";
  if (!isFile) return undefined;
  if (method === "GET" || method === "HEAD") return "read";
  if (method === "POST") return "write";
  return method === "DELETE" ? "remove" : undefined;
}

function allows(access: AllowedAccess, verb: VaultVerb, target: Target): boolean {
  if (verb === "read" || access.mode === "full") return true;
  const isLock = target.kind === "file" && target.of === "locks";
  // A reader too must tell others that it reads, or they would remove what it needs.
  if (access.mode === "read-only") return isLock;
  return verb !== "remove" || isLock;
}

async function read(
  folder: string,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (target.kind === "listing") {
    const files = await listStored(folder, target.of);
    if (files === undefined) return answerText(response, 404, "no repository here");
    return answerListing(request, response, files);
  }
  if (target.kind === "repository")
    return answerText(response, 405, "a repository cannot be read as a whole");
  if (request.method === "HEAD") return answerFileHead(response, await sizeOfStored(folder, target));
  const stored = await openStored(folder, target);
  if (stored === undefined) return answerText(response, 404, "no such file");
  await answerFile(request, response, stored.handle, stored.sizeBytes);
}

async function write(
  options: RestVaultOptions,
  access: AllowedAccess,
  { repository, target }: RequestPath,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (target.kind !== "file" && target.kind !== "config") return answerText(response, 405, "not a file");
  const fileBytesMax = options.fileBytesMax ?? FILE_BYTES_MAX;
  const announced = Number(request.headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(announced)) return answerText(response, 411, "the length must be told");
  if (announced > fileBytesMax) return answerText(response, 413, `larger than ${fileBytesMax} bytes`);
  if (access.mayStore !== undefined && !(await access.mayStore(announced))) {
    return answerText(response, 507, "the quota of this repository is used up");
  }
  // The stream is destroyed only by `createRestVault`: an answer has to go out first.
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  const result = await store(access.folder, target, body, fileBytesMax).catch((cause: unknown) => {
    // No folder means that nobody created the repository.
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    throw cause;
  });
  switch (result?.kind) {
    case undefined:
      return answerText(response, 404, "no repository here");
    case "stored":
      options.onStored?.({
        repository,
        kind: target.kind === "file" ? target.of : "config",
        sizeBytes: result.sizeBytes,
      });
      return answerText(response, 200, "");
    case "known":
      return answerText(response, 200, "");
    case "taken":
      return answerText(response, 403, "a different file of that name is there");
    case "too-large":
      return answerText(response, 413, `larger than ${fileBytesMax} bytes`);
    case "wrong-name":
      return answerText(response, 400, "the SHA-256 of the content is not the name");
  }
}

async function remove(folder: string, target: Target, response: ServerResponse): Promise<void> {
  if (target.kind !== "file" && target.kind !== "config") return answerText(response, 405, "not a file");
  const wasThere = await removeStored(folder, target);
  return answerText(response, wasThere ? 200 : 404, wasThere ? "" : "no such file");
}

function credentialsOf(
  request: IncomingMessage,
): { readonly user: string; readonly password: string } | undefined {
  const header = request.headers.authorization ?? "";
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  if (encoded === undefined || encoded.length > CREDENTIALS_CHARS_MAX) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
