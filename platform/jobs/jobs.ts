/**
 * Work that must happen: published in the transaction that decides it, run after commit, again after a crash.
 *
 * A thin door to pg-boss, so that nothing else knows it. A handler may run twice for one job (a crash between its effect
 * and its completion): it must be safe to repeat.
 */

import { PgBoss } from "pg-boss";
import { messageOf } from "@mainstay/kit";
import type { DatabaseAddress, Tx } from "../database/database.ts";

const SCHEMA = "jobs";
const POOL_SIZE_MAX = 4;
const STOP_MS_MAX = 15_000;
/** New jobs are told by NOTIFY; this finds those whose time came: retries and schedules. */
const POLL_SECONDS = 2;

export type Queue<Body extends object> = {
  /** `module.what`, such as `protection.restore-test`. */
  readonly name: string;
  /** How often a failed job is tried again, and the pause before the first retry (it doubles). */
  readonly retriesMax: number;
  readonly retryPauseSeconds: number;
  /** A job that runs longer is taken for lost and run again. */
  readonly runSecondsMax: number;
  /** `one-per-key`: a job is not queued while one with the same key waits. */
  readonly policy: "every" | "one-per-key";
  /** Carries the type of the body only. */
  readonly body?: Body;
};

export type PublishOptions = {
  readonly key?: string;
  readonly startAfter?: Date;
};

export type WorkContext = {
  readonly jobId: string;
  /** Aborts when the server stops or the job's time is over. */
  readonly signal: AbortSignal;
};

export type WorkerOptions = { readonly placesMax: number };

export type Jobs = {
  /** Part of `tx`: no commit, no job. Answers whether it was queued (`one-per-key` may find one waiting). */
  publish<Body extends object>(
    tx: Tx,
    queue: Queue<Body>,
    body: Body,
    options?: PublishOptions,
  ): Promise<boolean>;
  /** Runs `handler` for each job, at most `placesMax` at once. Call once per queue, before or after `start`. */
  work<Body extends object>(
    queue: Queue<Body>,
    options: WorkerOptions,
    handler: (body: Body, context: WorkContext) => Promise<void>,
  ): Promise<void>;
  /** Publishes `body` at every time of the cron expression (UTC, minutes). May be called again with the same key. */
  schedule<Body extends object>(queue: Queue<Body>, cron: string, body: Body, key?: string): Promise<void>;
  /** Waits for running handlers, after aborting their signals, at most some seconds. */
  stop(): Promise<void>;
};

export type JobsOptions = {
  readonly owner: DatabaseAddress;
  readonly app: DatabaseAddress;
  readonly log: (text: string) => void;
};

/** Brings pg-boss's tables to this version (as the owner) and starts it (as the application role). */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  await installJobTables(options);
  const boss = new PgBoss({
    ...connectionOf(options.app),
    max: POOL_SIZE_MAX,
    migrate: false,
    createSchema: false,
    useListenNotify: true,
    // The application role does not own the indexes.
    reindex: false,
    monitorVacuum: false,
  });
  boss.on("error", (cause) => options.log(`jobs: ${messageOf(cause)}`));
  await boss.start();
  return doorOf(boss, options.log);
}

function connectionOf(address: DatabaseAddress) {
  return { ...address, schema: SCHEMA, application_name: "mainstay jobs" };
}

/** Makes or upgrades pg-boss's tables. Safe to call from several processes at once: it takes a lock of its own. */
export async function installJobTables({ owner, app, log }: JobsOptions): Promise<void> {
  const boss = new PgBoss({
    ...connectionOf(owner),
    max: 1,
    createSchema: false,
    supervise: false,
    schedule: false,
  });
  boss.on("error", (cause) => log(`jobs: ${messageOf(cause)}`));
  await boss.start();
  const name = `"${app.user.replaceAll('"', '""')}"`;
  // pg-boss moves new tables in with rights of their own; said again so that an upgrade cannot leave one closed.
  await boss
    .getDb()
    .executeSql(`grant select, insert, update, delete on all tables in schema ${SCHEMA} to ${name}`);
  await boss.stop({ graceful: false });
}

function doorOf(boss: PgBoss, log: (text: string) => void): Jobs {
  const stopping = new AbortController();
  const ready = new Map<string, Promise<void>>();
  const ensureQueue = (queue: Queue<object>): Promise<void> => {
    const known = ready.get(queue.name) ?? declareQueue(boss, queue);
    ready.set(queue.name, known);
    return known;
  };
  return {
    publish: async (tx, queue, body, options = {}) => {
      await ensureQueue(queue);
      const db = {
        executeSql: async (text: string, values?: unknown[]) => ({
          rows: [...(await tx.query(text, values))],
        }),
      };
      const id = await boss.send(queue.name, body, {
        db,
        ...(options.key === undefined ? {} : { singletonKey: options.key }),
        ...(options.startAfter === undefined ? {} : { startAfter: options.startAfter }),
      });
      return id !== null;
    },
    work: async (queue, { placesMax }, handler) => {
      await ensureQueue(queue);
      for (let place = 0; place < placesMax; place += 1) {
        await boss.work<typeof queue.body & object>(
          queue.name,
          { batchSize: 1, pollingIntervalSeconds: POLL_SECONDS, notifyPollingIntervalSeconds: POLL_SECONDS },
          async ([job]) => {
            if (job === undefined) return;
            const signal = AbortSignal.any([stopping.signal, job.signal]);
            await runHandler(() => handler(job.data, { jobId: job.id, signal }), queue.name, log);
          },
        );
      }
    },
    schedule: async (queue, cron, body, key) => {
      await ensureQueue(queue);
      await boss.schedule(queue.name, cron, body, { tz: "UTC", ...(key === undefined ? {} : { key }) });
    },
    stop: async () => {
      stopping.abort(new Error("the server stops"));
      await boss.stop({ graceful: true, timeout: STOP_MS_MAX });
    },
  };
}

async function declareQueue(boss: PgBoss, queue: Queue<object>): Promise<void> {
  await boss.createQueue(queue.name, {
    policy: queue.policy === "one-per-key" ? "short" : "standard",
    retryLimit: queue.retriesMax,
    retryDelay: queue.retryPauseSeconds,
    retryBackoff: true,
    expireInSeconds: queue.runSecondsMax,
    notify: true,
  });
}

async function runHandler(
  task: () => Promise<void>,
  queueName: string,
  log: (text: string) => void,
): Promise<void> {
  try {
    await task();
  } catch (cause) {
    log(`job of ${queueName} failed: ${messageOf(cause)}`);
    throw cause;
  }
}
