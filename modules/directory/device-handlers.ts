/** The routes of devices and enrolment tokens. */

import {
  encodeEnrolmentTicket,
  type CustomerId,
  type Device,
  type EnrolmentToken,
  type SiteId,
} from "@mainstay/contract";
import {
  appendAudit,
  requestErrors,
  type Actor,
  type DomainEvent,
  type HandlersOf,
  type Platform,
  type Tx,
} from "@mainstay/platform";
import { addDevice, changeDevice, listDevices, moveDevice, readDevice } from "./devices.ts";
import { addToken, listTokens, revokeToken } from "./enrolment.ts";
import { deviceActivated, deviceArchived, deviceChanged } from "./events.ts";
import { readSite } from "./sites.ts";

export function deviceHandlers(platform: Platform): HandlersOf<"devices"> {
  const { database, clock } = platform;
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listDevices(tx, query)),
    read: ({ caller, params }) => database.inScope(caller.scope, (tx) => readDevice(tx, params.deviceId)),
    create: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        await checkSite(tx, body.siteId, body.customerId);
        const after = await addDevice(tx, { ...body, state: "active" }, clock.now());
        return tellChange(platform, tx, {
          actor: caller.actor,
          action: "device.create",
          after,
          event: deviceActivated,
        });
      }),
    update: ({ caller, params, body }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readDevice(tx, params.deviceId);
        if (body.siteId !== undefined) await checkSite(tx, body.siteId, before.customerId);
        const after = await changeDevice(tx, before, body);
        return tellChange(platform, tx, {
          actor: caller.actor,
          action: "device.update",
          before,
          after,
          event: deviceChanged,
        });
      }),
    approve: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readDevice(tx, params.deviceId);
        const after = await moveDevice(tx, before, ["pending"], "active");
        return tellChange(platform, tx, {
          actor: caller.actor,
          action: "device.approve",
          before,
          after,
          event: deviceActivated,
        });
      }),
    archive: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const before = await readDevice(tx, params.deviceId);
        const after = await moveDevice(tx, before, ["pending", "active"], "archived");
        return tellChange(platform, tx, {
          actor: caller.actor,
          action: "device.archive",
          before,
          after,
          event: deviceArchived,
        });
      }),
  };
}

export type DeviceStep = {
  readonly actor: Actor;
  readonly action: string;
  readonly before?: Device;
  readonly after: Device;
  readonly event: DomainEvent<Device>;
};

/** Audit, consoles and flows learn of a change in the transaction that makes it. */
export async function tellChange({ live, events }: Platform, tx: Tx, step: DeviceStep): Promise<Device> {
  const { actor, action, before, after } = step;
  const subject = { kind: "device", id: after.id, name: after.name };
  await appendAudit(tx, {
    actor,
    action,
    customerId: after.customerId,
    subject,
    ...(before === undefined ? {} : { before }),
    after,
  });
  await live.announce(tx, {
    type: "device.changed",
    customerId: after.customerId,
    deviceId: after.id,
    subjectId: after.id,
  });
  await events.emit(tx, step.event, after);
  return after;
}

/** Throws `request.not-found` or `request.conflict`. */
async function checkSite(tx: Tx, siteId: SiteId, customerId: CustomerId): Promise<void> {
  const site = await readSite(tx, siteId);
  if (site.customerId === customerId) return;
  throw requestErrors.error(
    "conflict",
    `Cannot use site "${site.name}": it belongs to another customer; choose one of this customer`,
  );
}

export function enrolmentTokenHandlers({
  database,
  clock,
  live,
  identity,
}: Platform): HandlersOf<"enrolmentTokens"> {
  const announce = (tx: Tx, token: EnrolmentToken) =>
    live.announce(tx, {
      type: "enrolment-token.changed",
      customerId: token.customerId,
      deviceId: null,
      subjectId: token.id,
    });
  return {
    list: ({ caller, query }) => database.inScope(caller.scope, (tx) => listTokens(tx, query, clock.now())),
    create: ({ caller, body }) =>
      database.inScope(caller.scope, async (tx) => {
        await checkSite(tx, body.siteId, body.customerId);
        const { token, secret } = await addToken(tx, { ...body, createdBy: caller.user.id }, clock.now());
        const subject = { kind: "enrolment-token", id: token.id, name: token.id };
        await appendAudit(tx, {
          actor: caller.actor,
          action: "enrolment-token.create",
          customerId: token.customerId,
          subject,
          after: token,
        });
        await announce(tx, token);
        const text = encodeEnrolmentTicket({
          address: identity.address(),
          tokenId: token.id,
          secret,
          identity: identity.key.publicKey,
        });
        return { token, text };
      }),
    revoke: ({ caller, params }) =>
      database.inScope(caller.scope, async (tx) => {
        const token = await revokeToken(tx, params.enrolmentTokenId, clock.now());
        const subject = { kind: "enrolment-token", id: token.id, name: token.id };
        await appendAudit(tx, {
          actor: caller.actor,
          action: "enrolment-token.revoke",
          customerId: token.customerId,
          subject,
          after: token,
        });
        await announce(tx, token);
        return token;
      }),
  };
}
