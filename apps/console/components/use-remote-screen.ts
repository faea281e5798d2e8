/** One connection to a machine's screen: opened with the component, closed with it, opened again on request. */

import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import type RFB from "@novnc/novnc";

export type ScreenState = "connecting" | "connected" | "lost";

export type RemoteScreen = {
  readonly state: ScreenState;
  readonly sendCtrlAltDel: () => void;
  readonly connectAgain: () => void;
};

export function useRemoteScreen(
  target: RefObject<HTMLDivElement | null>,
  path: string,
  viewOnly: boolean,
): RemoteScreen {
  const [state, setState] = useState<ScreenState>("connecting");
  const [attempt, setAttempt] = useState(0);
  const connection = useRef<RFB | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    setState("connecting");
    void connect(target, path, viewOnly, leaving.signal, setState).then((rfb) => (connection.current = rfb));
    return () => {
      leaving.abort();
      connection.current = null;
    };
  }, [target, path, viewOnly, attempt]);
  const sendCtrlAltDel = useCallback(() => {
    connection.current?.sendCtrlAltDel();
    connection.current?.focus();
  }, []);
  const connectAgain = useCallback(() => setAttempt((count) => count + 1), []);
  return { state, sendCtrlAltDel, connectAgain };
}

async function connect(
  target: RefObject<HTMLDivElement | null>,
  path: string,
  viewOnly: boolean,
  leaving: AbortSignal,
  onState: (state: ScreenState) => void,
): Promise<RFB | null> {
  const { default: Rfb } = await import("@novnc/novnc");
  const element = target.current;
  if (leaving.aborted || element === null) return null;
  const rfb = new Rfb(element, socketUrl(path), { shared: true });
  rfb.scaleViewport = true;
  rfb.focusOnClick = true;
  rfb.viewOnly = viewOnly;
  rfb.background = "#05070a";
  const once = { signal: leaving };
  rfb.addEventListener("connect", () => onState("connected"), once);
  rfb.addEventListener("disconnect", () => onState("lost"), once);
  leaving.addEventListener("abort", () => rfb.disconnect(), { once: true });
  return rfb;
}

function socketUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
