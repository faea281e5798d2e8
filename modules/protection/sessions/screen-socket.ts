/** Live screens: RFB between a browser's WebSocket and the machine, here over its unix socket, off-site over the peer's. */

import { connect } from "node:net";
import { type PeerId, peerScreenPath } from "@mainstay/contract";
import { contractErrors, type SocketMount } from "@mainstay/platform";
import { WebSocket } from "ws";
import type { MachineHost } from "../machines/machine-host.ts";
import { peerAgent } from "../offsite/peer-client.ts";
import type { ProtectionParts } from "../parts.ts";
import type { PeerAddress } from "../vaults/vault-store.ts";
import { LOCAL_OWNER, type Sessions } from "./run-sessions.ts";
import { existingSession } from "./session-handlers.ts";

const MESSAGE_SIZE_BYTES_MAX = 1024 * 1024;

/** A browser that does not read is not sent more: the machine's side waits. */
const BUFFERED_BYTES_MAX = 8 * 1024 * 1024;

const errors = contractErrors("protection");

export function screenSockets(parts: ProtectionParts, host: MachineHost, sessions: Sessions): SocketMount[] {
  return [
    {
      path: "/api/recovery-sessions/:recoverySessionId/screen",
      access: "technician",
      messageSizeBytesMax: MESSAGE_SIZE_BYTES_MAX,
      open: async (socket, { params, caller }) => {
        if (caller.kind !== "user") return socket.close();
        const id = params["recoverySessionId"] ?? "";
        const early = holdMessages(socket);
        const session = await parts.platform.database.inScope(caller.scope, (tx) => existingSession(tx, id));
        const peer = await sessions.peerOf(session);
        if (peer === undefined) bridgeToMachine(socket, early, host.screenSocket(LOCAL_OWNER, id));
        else bridgeToPeer(socket, early, peer, id);
      },
    },
    {
      path: "/peer/recovery-sessions/:recoverySessionId/screen",
      access: "peer",
      messageSizeBytesMax: MESSAGE_SIZE_BYTES_MAX,
      open: (socket, { params, caller }) => {
        if (caller.kind !== "peer") return socket.close();
        const owner: PeerId = caller.peerId;
        bridgeToMachine(
          socket,
          holdMessages(socket),
          host.screenSocket(owner, params["recoverySessionId"] ?? ""),
        );
      },
    },
  ];
}

/** What comes before the other side is there. */
type Early = { deliver(to: (bytes: Buffer) => void): void };

function holdMessages(socket: WebSocket): Early {
  let held: Buffer[] = [];
  let deliver = (bytes: Buffer): void => void held.push(bytes);
  socket.on("message", (data: Buffer) => deliver(data));
  return {
    deliver: (to) => {
      for (const bytes of held) to(bytes);
      held = [];
      deliver = to;
    },
  };
}

function bridgeToMachine(socket: WebSocket, early: Early, vncSocket: string | undefined): void {
  if (vncSocket === undefined)
    throw errors.error("not-running", "Cannot show the screen: the machine is not running");
  const machine = connect(vncSocket);
  machine.on("data", (bytes: Buffer) => {
    socket.send(bytes, () => machine.resume());
    if (socket.bufferedAmount > BUFFERED_BYTES_MAX) machine.pause();
  });
  machine.on("error", () => socket.close());
  machine.on("close", () => socket.close());
  socket.on("close", () => machine.destroy());
  early.deliver((bytes) => machine.write(bytes));
}

function bridgeToPeer(socket: WebSocket, early: Early, peer: PeerAddress, id: string): void {
  const url = new URL(peerScreenPath(id), peer.address);
  url.protocol = "wss:";
  const there = new WebSocket(url, {
    agent: peerAgent(peer),
    headers: { authorization: `Bearer ${peer.credential}` },
    maxPayload: MESSAGE_SIZE_BYTES_MAX * 16,
    perMessageDeflate: false,
  });
  there.on("open", () => early.deliver((bytes) => there.send(bytes)));
  there.on("message", (data: Buffer) => {
    if (socket.bufferedAmount > BUFFERED_BYTES_MAX) there.pause();
    socket.send(data, () => there.resume());
  });
  there.on("error", () => socket.close());
  there.on("close", () => socket.close());
  socket.on("close", () => there.terminate());
}
