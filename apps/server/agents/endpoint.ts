/** `/agent`: where agents connect. */

import { AGENT_MESSAGE_SIZE_BYTES_MAX, AGENT_PATH } from "@mainstay/contract";
import type { ModuleDeclaration, SocketMount } from "@mainstay/platform";
import type { AgentBoard } from "./board.ts";
import { serveAgent } from "./connection.ts";
import type { AgentParts } from "./session.ts";

export const agentsDeclaration: ModuleDeclaration = {
  name: "agents",
  migrations: new URL("./migrations/", import.meta.url),
  needs: ["directory"],
};

/** Public as a socket: who is there is proven by the handshake, not by a session. */
export function agentSocket(parts: AgentParts, board: AgentBoard): SocketMount {
  return {
    path: AGENT_PATH,
    access: "public",
    messageSizeBytesMax: AGENT_MESSAGE_SIZE_BYTES_MAX,
    open: (socket, { incoming }) => serveAgent(socket, incoming, parts, board),
  };
}
