/** Whether what is on screen follows the server by itself. */

import { Tooltip } from "@mantine/core";
import { IconAccessPoint, IconAccessPointOff } from "@tabler/icons-react";
import { useSyncExternalStore } from "react";
import { liveState, onLiveState, type LiveState } from "../api/live-events.ts";
import classes from "./shell.module.css";

const WORDS: Readonly<Record<LiveState, { readonly word: string; readonly meaning: string }>> = {
  connecting: { word: "Connecting", meaning: "Connecting for live updates" },
  live: { word: "Live", meaning: "This page updates by itself" },
  broken: {
    word: "Reconnecting",
    meaning: "Live updates are interrupted; the page is read again every 15 seconds meanwhile",
  },
};

export function LiveIndicator() {
  const state = useSyncExternalStore(onLiveState, liveState);
  const Glyph = state === "broken" ? IconAccessPointOff : IconAccessPoint;
  return (
    <Tooltip label={WORDS[state].meaning}>
      <span className={classes.live} data-state={state} role="status">
        <Glyph size={15} stroke={1.7} aria-hidden />
        <span className={classes.liveText}>{WORDS[state].word}</span>
      </span>
    </Tooltip>
  );
}
