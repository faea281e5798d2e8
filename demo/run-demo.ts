/**
 * Mainstay's main job on a real server, from nothing: protect it, take it off-site, lose it, run it out of the off-site
 * vault, ask it for its rows, and sign the proof. Every step is what a provider would do, through the same commands and API.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert, formatBytes, formatDuration, GIB, must } from "@mainstay/kit";
import type { Client, DeviceId, ProtectionPlan, RestorePoint, Vault } from "@mainstay/contract";
import { buildSampleServer, type SampleServer } from "@mainstay/samples";
import {
  pointOf,
  replicationFigures,
  runToEnd,
  untilForwarded,
  untilReplicated,
  untilTested,
} from "./follow.ts";
import { openJournal, type Journal, type Step } from "./journal.ts";
import { startOriginal, type Original } from "./original.ts";
import { runProgram } from "./programs.ts";
import { applyPlan, enrolDevice, joinOffSite, setProbes } from "./protect.ts";
import { askRows, askUntilAnswered, HISTORY_QUERY, type Rows } from "./rows.ts";
import { startSite, type Site } from "./site.ts";

export type DemoOptions = {
  /** Empty folder for everything the demo makes; the caller removes it. */
  readonly folder: string;
  /** `small` for tests. */
  readonly variant: "full" | "small";
  readonly pgbenchSeconds: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Both sites and the recovered server run on until it is disposed of. */
export type DemoReport = AsyncDisposable & {
  readonly steps: readonly Step[];
  readonly rowsBefore: Rows;
  readonly rowsAfter: Rows;
  readonly consoleAddress: string;
  readonly signInLink: () => Promise<string>;
};

/** What the steps after day 0 work on. */
type Scene = {
  readonly options: DemoOptions;
  readonly journal: Journal;
  readonly client: Client;
  readonly sample: SampleServer;
  readonly deviceId: DeviceId;
  readonly vault: Vault;
  readonly plan: ProtectionPlan;
};

const WEEK_HOURS = 168;

/** Rejects with the first step that failed, and then nothing is left running. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { signal } = options;
  const journal = openJournal(options.say);
  await using stack = new AsyncDisposableStack();
  const sample = await buildSample(options, journal);
  const [ours, offSite] = await startSites(options, journal, stack);
  const original = await journal.step(
    "Start the customer's server",
    () => startOriginal(sample, options.folder, signal),
    () => ({ remark: `${sample.hostName} answers SQL` }),
  );
  stack.defer(() => original.machine.stop());
  const protection = await protect(ours, offSite, original, sample, options, journal, stack);
  const scene: Scene = { options, journal, client: ours.client, sample, ...protection };
  const { rows: rowsBefore, point } = await backUpAndChange(scene, original);
  await replicate(scene, point);
  await journal.step("Stop the server and delete its disk", () => original.destroy());
  const rowsAfter = await recoverOffSite(scene, point, rowsBefore);
  await testWeekly(scene, rowsBefore);
  await verifyEvidence(scene);
  const held = stack.move();
  return {
    steps: journal.steps,
    rowsBefore,
    rowsAfter,
    consoleAddress: ours.address,
    signInLink: ours.signInLink,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function buildSample(
  { folder, variant, signal, say }: DemoOptions,
  journal: Journal,
): Promise<SampleServer> {
  return journal.step(
    "Build the sample server",
    () =>
      buildSampleServer({
        variant,
        directory: join(folder, "original"),
        signal,
        onProgress: ({ text }) => say(`    ${text}`),
      }),
    (sample) => ({
      bytes: sample.sizeBytes,
      remark: "Debian, PostgreSQL, real rows; a virtual disk of this size",
    }),
  );
}

async function startSites(
  options: DemoOptions,
  journal: Journal,
  stack: AsyncDisposableStack,
): Promise<[Site, Site]> {
  const start = async (name: string, part: string): Promise<Site> => {
    const folder = join(options.folder, part);
    // PostgreSQL, which may run as another user, has to pass through; its own folder is private.
    await mkdir(folder, { recursive: true, mode: 0o711 });
    return stack.use(await startSite({ name, folder, port: 0 }));
  };
  return journal.step(
    "Start Mainstay, ours and off-site",
    async () => {
      const starting = [start("Our site", "ours"), start("Off-site", "off-site")] as const;
      // If one fails the other must have ended its start, so that it can be stopped.
      await Promise.allSettled(starting);
      return Promise.all(starting);
    },
    ([ours, offSite]) => ({ remark: `${ours.address}, ${offSite.address}` }),
  );
}

async function protect(
  ours: Site,
  offSite: Site,
  original: Original,
  sample: SampleServer,
  { folder, signal }: DemoOptions,
  journal: Journal,
  stack: AsyncDisposableStack,
) {
  return journal.step(
    "Add the customer, enrol the agent, apply the plan",
    async () => {
      const vault = await joinOffSite(ours, offSite);
      const { deviceId, agent } = await enrolDevice(ours, sample.hostName, folder, signal);
      stack.use(agent);
      const plan = await applyPlan(ours.client, deviceId, vault, original);
      return { deviceId, vault, plan };
    },
    ({ plan }) => ({ remark: `RPO ${plan.rpoMinutes} min, replicated off-site` }),
  );
}

/** First backup, real work on real rows, and a backup of what that changed; the rows as they were at its moment. */
async function backUpAndChange(
  { client, deviceId, journal, options: { pgbenchSeconds, signal } }: Scene,
  original: Original,
): Promise<{ readonly rows: Rows; readonly point: RestorePoint }> {
  const backUp = (what: string) =>
    journal.step(
      what,
      () => runToEnd(client, deviceId, "backup", signal),
      ({ result }) => {
        if (result?.kind !== "backup") return {};
        const { readBytes, addedBytes, sentBytes = 0, mode } = result;
        return {
          bytes: readBytes,
          remark: `read; ${formatBytes(addedBytes)} stored, ${formatBytes(sentBytes)} sent; ${mode}`,
        };
      },
    );
  await backUp("Back up the running server");
  const before = await writtenByGuest(original);
  await journal.step(
    "Change rows with pgbench",
    () => original.runTransactions(pgbenchSeconds),
    (transactions) => ({ remark: `${transactions} transactions` }),
  );
  const rows = await askRows(original.sql);
  const written = (await writtenByGuest(original)) - before;
  const run = await backUp(`Back up only what changed (the guest wrote ${formatBytes(written)})`);
  return { rows, point: await pointOf(client, run, signal) };
}

/** Bytes that the guest wrote to its disk so far, by QEMU's own count. */
async function writtenByGuest({ machine }: Original): Promise<number> {
  // QEMU's answer to query-blockstats, by its schema.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const devices = (await machine.qmp.execute("query-blockstats")) as { stats: { wr_bytes: number } }[];
  return devices.reduce((sum, device) => sum + device.stats.wr_bytes, 0);
}

async function replicate(
  { client, deviceId, vault, journal, options }: Scene,
  point: RestorePoint,
): Promise<void> {
  await journal.step(
    "Replicate off-site",
    async () => {
      await runToEnd(client, deviceId, "replication", options.signal);
      await untilReplicated(client, point, vault.id, options.signal);
      return replicationFigures(client, deviceId);
    },
    // The first restore point went while rows were being changed: replication follows each backup by itself.
    ({ runs, sentBytes, packs }) => ({
      bytes: sentBytes,
      remark: `${packs} packs sent in ${runs} runs; nothing twice`,
    }),
  );
}

async function recoverOffSite(
  { client, vault, journal, sample: { sql }, options: { signal } }: Scene,
  point: RestorePoint,
  wanted: Rows,
): Promise<Rows> {
  const session = await journal.step(
    "Run it from the off-site vault, until it answers SQL",
    async () => {
      const started = await client.recoverySessions.start({
        body: {
          restorePointId: point.id,
          vaultId: vault.id,
          forwardPorts: [sql.port],
          machine: { memoryBytes: GIB, processors: 2 },
        },
      });
      const running = await untilForwarded(client, started, signal);
      await askUntilAnswered(placeOf(running, sql), "select 1", 600_000, signal);
      return running;
    },
    ({ timeline }) => {
      const served = timeline.find(({ stage }) => stage === "served");
      return {
        remark: served === undefined ? undefined : `disk served after ${formatDuration(served.atMs)}`,
      };
    },
  );
  const rows = await journal.step("Ask the recovered server for its rows", () =>
    askRows(placeOf(session, sql)),
  );
  for (const [index, { query, answer }] of wanted.entries()) {
    const found = rows[index]?.answer;
    if (found !== answer) throw new Error(`The rows differ: ${query} gave ${found}, wanted ${answer}`);
  }
  await client.recoverySessions.stop({ params: { recoverySessionId: session.id } });
  return rows;
}

function placeOf(
  session: { readonly forwards: readonly { guestPort: number; address: string }[] },
  sql: SampleServer["sql"],
) {
  const forward = must(
    session.forwards.find(({ guestPort }) => guestPort === sql.port),
    "the session was asked to forward the database's port",
  );
  const [host = "", port] = forward.address.split(":");
  const { user, password, database } = sql;
  return { host, port: Number(port), user, password, database };
}

/** The first test is asked for; from then on one follows every week, without anybody asking. */
async function testWeekly(
  { client, deviceId, vault, plan, journal, sample, options: { signal } }: Scene,
  rows: Rows,
): Promise<void> {
  const history = must(
    rows.find(({ query }) => query === HISTORY_QUERY),
    "the history is among the rows",
  );
  await setProbes(client, deviceId, sample, history);
  await journal.step(
    "Restore test: boot in isolation, probe, photograph",
    async () => {
      const test = await untilTested(
        client,
        await client.restoreTests.start({ body: { deviceId, vaultId: vault.id } }),
        signal,
      );
      assert(
        test.state === "passed",
        `the restore test passed, but it is ${test.state}: ${test.error?.message ?? ""}`,
      );
      return test;
    },
    ({ rtoMs, probes }) => ({
      remark: `${probes.length} probes passed${rtoMs === null ? "" : `, RTO attained ${formatDuration(rtoMs)}`}`,
    }),
  );
  await client.protectionPlans.update({
    params: { protectionPlanId: plan.id },
    body: { restoreTestEveryHours: WEEK_HOURS },
  });
}

async function verifyEvidence({ client, journal, options: { folder, signal } }: Scene): Promise<void> {
  await journal.step(
    "Verify the signed evidence with the public key alone",
    async () => {
      const file = join(folder, "evidence.jsonl");
      const response = await client.evidence.export({ query: {} });
      await writeFile(file, await response.text());
      await runProgram(["evidence", "verify", file], signal);
    },
    () => ({ remark: "the chain is whole" }),
  );
}
