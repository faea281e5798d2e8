/** `/api/events`: live updates to a signed-in console. */

import { EVENTS_PATH, type LiveEvent } from "@mainstay/contract";
import type { LiveEvents } from "../events/live.ts";
import type { SocketMount } from "./handlers.ts";

const MESSAGE_SIZE_BYTES_MAX = 1024;
/** A console that does not read is dropped; it reads all again when it is back. */
const BUFFERED_BYTES_MAX = 1024 * 1024;

export function liveSocket(live: LiveEvents): SocketMount {
  return {
    path: EVENTS_PATH,
    access: "read-only",
    messageSizeBytesMax: MESSAGE_SIZE_BYTES_MAX,
    open: (socket) => {
      const send = (event: LiveEvent): void => {
        if (socket.bufferedAmount > BUFFERED_BYTES_MAX) return socket.terminate();
        socket.send(JSON.stringify(event));
      };
      const end = live.subscribe(send);
      socket.once("close", end);
      send({ type: "hello", at: new Date().toISOString() });
    },
  };
}
