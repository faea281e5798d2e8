/**
 * A repository behind restic's REST protocol (restic documentation, "REST Backend", versions 1 and 2), so on any restic
 * REST server as well as on a Mainstay.
 */

import { limiter } from "@mainstay/kit";
import type { Backend, ByteRange, FileEntry, FileKind, FileRef } from "./backend.ts";
import { fileExists, fileMissing, fileTruncated } from "./failure.ts";
import { holds, isFileName, pathOf } from "./file-ref.ts";
import type { Pacing } from "./limited.ts";
import type { RestAddress, RestCredentials } from "./rest-address.ts";
import { createTransport, statusFailure, type RestTransport } from "./rest-transport.ts";
import { createAgent, type RestTrust } from "./rest-trust.ts";
import { vaultErrors } from "../errors.ts";

export type RestOptions = {
  /** Wins over credentials inside the address. */
  readonly credentials?: RestCredentials | undefined;
  readonly trust?: RestTrust;
  /** Requests under way at once. */
  readonly connectionsMax?: number;
  readonly pacing?: Pacing;
};

const CONFIG: FileRef = { kind: "config", name: "" };

const CONNECTIONS_MAX = 8;
const VERSION_2 = "application/vnd.x.restic.rest.v2";

export function createRestBackend(address: RestAddress, options: RestOptions = {}): Backend {
  const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
  const location = `rest:${address.url.href}`;
  const agent = createAgent(address.url, options.trust ?? { kind: "system" }, connectionsMax);
  const send = createTransport({
    url: address.url,
    location,
    agent,
    credentials: options.credentials ?? address.credentials,
    pacing: options.pacing ?? {},
  });
  const stat = (file: FileRef, signal?: AbortSignal): Promise<number | undefined> =>
    statFile(send, location, file, signal);
  return {
    location,
    create: async () => {
      const response = await send({ method: "POST", path: "?create=true" });
      if (response.status !== 200) throw statusFailure(location, "create a repository", response);
    },
    stat: (file) => stat(file),
    list: async function* (kind, signal) {
      if (kind !== "config") {
        yield* await listFiles(send, location, kind, connectionsMax, signal);
        return;
      }
      const sizeBytes = await stat({ kind, name: "" }, signal);
      if (sizeBytes !== undefined) yield { name: "", sizeBytes };
    },
    read: (file, range, signal) => readFile(send, location, file, range, signal),
    write: async (file, parts, signal) => {
      const response = await send({ method: "POST", path: pathOf(file), body: parts, signal });
      if (response.status === 200 || response.status === 201) return;
      // Servers refuse to write a file twice; after a lost answer it is there, and ours.
      const mayExist = response.status === 403 || response.status === 409;
      if (!mayExist || (await stat(file, signal)) === undefined) {
        throw statusFailure(location, `write ${pathOf(file)}`, response);
      }
      const stored = await readFile(send, location, file, undefined, signal);
      if (!holds(stored, parts)) throw fileExists(location, file);
    },
    remove: async (file) => {
      const response = await send({ method: "DELETE", path: pathOf(file) });
      if (response.status !== 200 && response.status !== 204 && response.status !== 404) {
        throw statusFailure(location, `remove ${pathOf(file)}`, response);
      }
    },
    close: async () => agent.destroy(),
  };
}

async function statFile(
  send: RestTransport,
  location: string,
  file: FileRef,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const response = await send({ method: "HEAD", path: pathOf(file), signal });
  if (response.status === 404) return undefined;
  const sizeBytes = Number(response.headers["content-length"] ?? Number.NaN);
  if (response.status !== 200 || !Number.isSafeInteger(sizeBytes)) {
    throw statusFailure(location, `look for ${pathOf(file)}`, response);
  }
  return sizeBytes;
}

async function readFile(
  send: RestTransport,
  location: string,
  file: FileRef,
  range?: ByteRange,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  // HTTP has no range of no bytes.
  if (range?.length === 0) return readNothing(send, location, file, range, signal);
  const headers =
    range === undefined ? undefined : { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
  const response = await send({ method: "GET", path: pathOf(file), ...(headers && { headers }), signal });
  if (response.status === 404) throw fileMissing(location, file);
  if (range !== undefined && response.status === 416) throw fileTruncated(location, file, range);
  if (response.status === 200 && range === undefined) return response.body;
  // A server may ignore the range and send everything.
  const isPart = response.status === 206 && range !== undefined;
  if (!isPart && response.status !== 200) throw statusFailure(location, `read ${pathOf(file)}`, response);
  const start = isPart ? 0 : (range?.offset ?? 0);
  const bytes = response.body.slice(start, start + (range?.length ?? 0));
  if (range !== undefined && bytes.length < range.length) {
    throw fileTruncated(location, file, range, range.offset + bytes.length);
  }
  return bytes;
}

async function readNothing(
  send: RestTransport,
  location: string,
  file: FileRef,
  range: ByteRange,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const sizeBytes = await statFile(send, location, file, signal);
  if (sizeBytes === undefined) throw fileMissing(location, file);
  if (sizeBytes < range.offset) throw fileTruncated(location, file, range, sizeBytes);
  return new Uint8Array();
}

async function listFiles(
  send: RestTransport,
  location: string,
  kind: FileKind,
  connectionsMax: number,
  signal?: AbortSignal,
): Promise<FileEntry[]> {
  const response = await send({ method: "GET", path: `${kind}/`, headers: { accept: VERSION_2 }, signal });
  // Some servers make a folder with its first file; without a config, though, there is no repository to be empty.
  if (response.status === 404 && (await statFile(send, location, CONFIG, signal)) !== undefined) return [];
  if (response.status !== 200) throw statusFailure(location, `list ${kind}`, response);
  const entries = parseListing(location, kind, response.body).filter(({ name }) => isFileName(name));
  // Version 1 names only; the sizes are asked for one by one.
  const places = limiter(connectionsMax);
  const sized = await Promise.all(
    entries.map(async ({ name, sizeBytes }) => {
      const size = sizeBytes ?? (await places.run(() => statFile(send, location, { kind, name }, signal)));
      return size === undefined ? [] : [{ name, sizeBytes: size }];
    }),
  );
  return sized.flat();
}

function parseListing(location: string, kind: FileKind, body: Uint8Array): ListedFile[] {
  const listing = parseJson(body);
  const files = Array.isArray(listing) ? listing.map(listedFile) : [undefined];
  if (!files.includes(undefined)) return files.filter((file) => file !== undefined);
  throw vaultErrors.error(
    "backend-refused",
    `Cannot list ${kind} at ${location}: found no listing of restic's REST protocol, wanted a JSON array of files; ` +
      "check that the address is a restic REST server",
    { values: { location } },
  );
}

type ListedFile = { readonly name: string; readonly sizeBytes?: number };

/** An empty folder is `null` with some servers. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8")) ?? [];
  } catch {
    return undefined;
  }
}

/** One element of a listing: a name (version 1), or name and size (version 2); `undefined` if it is neither. */
function listedFile(element: unknown): ListedFile | undefined {
  if (typeof element === "string") return { name: element };
  if (typeof element !== "object" || element === null) return undefined;
  const { name, size } = element as { readonly name?: unknown; readonly size?: unknown };
  const isSized = typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
  return typeof name === "string" && isSized ? { name, sizeBytes: size } : undefined;
}
