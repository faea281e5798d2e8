/** What a provider does on day 0: the customer, the off-site vault, the plan, the agent. */

import { join } from "node:path";
import type { Client, CustomerId, DeviceId, ProtectionPlan, Vault } from "@mainstay/contract";
import { GIB } from "@mainstay/kit";
import type { SampleServer } from "@mainstay/samples";
import { runProgram, startProgram, type RunningProgram } from "./programs.ts";
import type { Original } from "./original.ts";
import type { Site } from "./site.ts";

export type Protected = {
  readonly deviceId: DeviceId;
  readonly plan: ProtectionPlan;
  readonly offSite: Vault;
};

const CUSTOMER_NAME = "Harbour Foods";
const SITE_NAME = "Main office";

/** Another Mainstay becomes a vault of ours, by the invitation it gives. */
export async function joinOffSite(ours: Site, offSite: Site): Promise<Vault> {
  const { text } = await offSite.client.peers.invite({ body: { name: ours.name } });
  return ours.client.vaults.create({ body: { kind: "mainstay", name: offSite.name, invitation: text } });
}

/** Adds the customer and enrols the machine that will run the agent; the agent then runs until `stack` is disposed of. */
export async function enrolDevice(
  ours: Site,
  hostName: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ deviceId: DeviceId; customerId: CustomerId; agent: RunningProgram }> {
  const { client } = ours;
  const { id: customerId } = await client.customers.create({ body: { name: CUSTOMER_NAME } });
  const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const site = await client.sites.create({ body: { customerId, name: SITE_NAME, timeZone } });
  const { text } = await client.enrolmentTokens.create({
    body: { customerId, siteId: site.id, approval: "automatic" },
  });
  const data = join(folder, "agent");
  const enrol = [
    "agent",
    "enrol",
    "--token",
    text,
    "--data",
    data,
    "--name",
    hostName,
    "--kind",
    "virtual-machine",
  ];
  // What `agent enrol --json` prints, see there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { deviceId } = (await runProgram(enrol, signal)) as { deviceId: DeviceId };
  return {
    deviceId,
    customerId,
    agent: startProgram(["agent", "run", "--data", data], join(folder, "agent.log")),
  };
}

/** An hour's RPO, replicated off-site; restore tests are switched on later, so that the story stays in order. */
export async function applyPlan(
  client: Client,
  deviceId: DeviceId,
  offSite: Vault,
  original: Original,
): Promise<ProtectionPlan> {
  const plan = await client.protectionPlans.create({
    body: {
      customerId: null,
      name: "Servers, hourly, off-site",
      rpoMinutes: 60,
      retention: { last: 2, hourly: 24, daily: 14, weekly: 8, monthly: 12, yearly: 2 },
      replicateTo: offSite.id,
      restoreTestEveryHours: null,
      bandwidthCapBytesPerSecond: null,
    },
  });
  await client.deviceProtection.update({
    params: { deviceId },
    body: {
      planId: plan.id,
      sources: [{ kind: "qemu", name: "sda", ...original.capture }],
      machine: { memoryBytes: GIB, processors: 2, start: "firmware", patienceSeconds: 600 },
    },
  });
  return plan;
}

/** The questions that a restore test asks the recovered server. */
export async function setProbes(
  client: Client,
  deviceId: DeviceId,
  { sql }: SampleServer,
  expected: { readonly query: string; readonly answer: string },
): Promise<void> {
  const { port, user, password, database } = sql;
  await client.deviceProtection.update({
    params: { deviceId },
    body: {
      probes: [
        {
          kind: "sql",
          name: "The rows are there",
          engine: "postgresql",
          port,
          user,
          password,
          database,
          query: expected.query,
          expectedAnswer: expected.answer,
        },
        { kind: "screen-text", name: "It asks for a login", text: "login:" },
      ],
    },
  });
}
