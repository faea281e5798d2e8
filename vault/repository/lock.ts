/**
 * Lock files, by which programs that share a repository, ours and restic's, keep out of each other's way: many may hold a
 * shared one, an exclusive one stands alone. Source: restic design, "Locks".
 */

import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemClock, systemCodeOf, type Clock } from "@mainstay/kit";
import { vaultErrors } from "../errors.ts";
import { closeEnvelope } from "../format/envelope.ts";
import { shortId } from "../format/object-id.ts";
import { currentUser } from "./current-user.ts";
import { readEnvelope, type Repository } from "./repository.ts";

export type LockKind = "shared" | "exclusive";

type LockJson = {
  readonly time: string;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
};

export type HeldLock = AsyncDisposable & {
  /**
   * Call before anything is written that relies on what others must not have removed. A machine that slept for hours comes
   * back with a lock that others were right to clear away.
   *
   * Errors: `vault.lock-lost`.
   */
  assertHeld(): Promise<void>;
};

/** Both figures are restic's. */
const REFRESH_EVERY_MS = 5 * 60_000;
const STALE_AFTER_MS = 30 * 60_000;
/** Two programs that lock at the same moment see each other at the second look. */
const SECOND_LOOK_AFTER_MS = 200;

/**
 * Locks the repository until disposed. Stale locks (older than 30 minutes, or of a program of this machine that is gone)
 * are removed on the way.
 *
 * Errors: `vault.locked` naming who holds the lock that stands in the way.
 */
export async function lockRepository(
  repository: Repository,
  kind: LockKind,
  clock: Clock = systemClock,
): Promise<HeldLock> {
  await clearTheWay(repository, kind, clock, undefined);
  let name = await writeLock(repository, kind, clock);
  try {
    if (kind === "exclusive") await sleep(SECOND_LOOK_AFTER_MS);
    await clearTheWay(repository, kind, clock, name);
  } catch (cause) {
    await removeQuietly(repository, name);
    throw cause;
  }
  const refresh = async (): Promise<void> => {
    const before = name;
    await assertHeld(repository, kind, before);
    name = await writeLock(repository, kind, clock);
    await repository.backend.remove({ kind: "locks", name: before });
  };
  let refreshing = Promise.resolve();
  const timer = setInterval(() => {
    // A refresh that fails is tried again at the next one; the lock stays good for half an hour.
    refreshing = refreshing.then(refresh).catch(() => undefined);
  }, REFRESH_EVERY_MS);
  timer.unref();
  return {
    assertHeld: async () => {
      await refreshing;
      await assertHeld(repository, kind, name);
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await refreshing;
      await removeQuietly(repository, name);
    },
  };
}

async function assertHeld(repository: Repository, kind: LockKind, name: string): Promise<void> {
  if ((await repository.backend.stat({ kind: "locks", name })) !== undefined) return;
  throw vaultErrors.error(
    "lock-lost",
    `Cannot finish in ${repository.backend.location}: its ${kind} lock ${shortId(name)} was removed meanwhile, as of a program that is gone; run it again, what is stored is not sent again`,
    { values: { lock: name } },
  );
}

/** What was done under the lock is done; one that cannot be removed is cleared away as abandoned or stale. */
async function removeQuietly(repository: Repository, name: string): Promise<void> {
  await repository.backend.remove({ kind: "locks", name }).catch(() => undefined);
}

async function writeLock(repository: Repository, kind: LockKind, clock: Clock): Promise<string> {
  const { name: username, uid, gid } = currentUser();
  const lock: LockJson = {
    time: clock.now().toISOString(),
    exclusive: kind === "exclusive",
    hostname: hostname(),
    username,
    pid: process.pid,
    uid,
    gid,
  };
  const { id, sealed } = closeEnvelope(repository.key, repository.config.version, lock);
  await repository.backend.write({ kind: "locks", name: id }, [sealed]);
  return id;
}

/** Removes stale locks; throws if one of the others forbids `kind`. */
async function clearTheWay(
  repository: Repository,
  kind: LockKind,
  clock: Clock,
  own: string | undefined,
): Promise<void> {
  for await (const { name } of repository.backend.list("locks")) {
    if (name === own) continue;
    const lock = await readLock(repository, name);
    if (lock === undefined) continue;
    const abandoned = lock.hostname === hostname() && !isRunning(lock.pid);
    if (abandoned || clock.now().getTime() - Date.parse(lock.time) > STALE_AFTER_MS) {
      await repository.backend.remove({ kind: "locks", name });
    } else if (lock.exclusive || kind === "exclusive") {
      throw locked(repository, kind, lock);
    }
  }
}

/** `undefined` if the lock is gone by now. */
async function readLock(repository: Repository, name: string): Promise<LockJson | undefined> {
  try {
    // Every writer of locks has the repository's key.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (await readEnvelope(repository, { kind: "locks", name })) as LockJson;
  } catch (cause) {
    if (vaultErrors.is(cause, "file-missing")) return undefined;
    if (!vaultErrors.is(cause, "damaged-file")) throw cause;
    throw vaultErrors.error(
      "locked",
      `Cannot lock ${repository.backend.location}: its lock ${shortId(name)} cannot be read (${messageOf(cause)}); if no other program is at work there, remove it with "restic unlock --remove-all"`,
      { cause, values: { lock: name } },
    );
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return systemCodeOf(cause) === "EPERM";
  }
}

function locked(repository: Repository, kind: LockKind, lock: LockJson): Error {
  const holder = `${lock.username}@${lock.hostname} (process ${lock.pid}) since ${lock.time}`;
  return vaultErrors.error(
    "locked",
    `Cannot take the ${kind} lock of ${repository.backend.location}: ${holder} holds ${lock.exclusive ? "an exclusive" : "a shared"} one; wait until it ends, or remove it with "restic unlock" if that program is gone`,
    { values: { holder: lock } },
  );
}
