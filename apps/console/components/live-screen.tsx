/** The screen of a running machine, with mouse and keyboard. noVNC is loaded only when a screen is opened. */

import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconKeyboard, IconMaximize, IconPlugConnectedX, IconScreenShare } from "@tabler/icons-react";
import { useRef, type ReactNode, type RefObject } from "react";
import classes from "./live-screen.module.css";
import { useRemoteScreen, type ScreenState } from "./use-remote-screen.ts";

type LiveScreenProps = {
  /** Path of the screen's web socket on this server. */
  readonly path: string;
  readonly name: string;
  readonly viewOnly: boolean;
};

export function LiveScreen({ path, name, viewOnly }: LiveScreenProps) {
  const frame = useRef<HTMLDivElement>(null);
  const target = useRef<HTMLDivElement>(null);
  const screen = useRemoteScreen(target, path, viewOnly);
  return (
    <div className={classes.frame} ref={frame}>
      <div className={classes.bar}>
        <span className={classes.name}>
          <IconScreenShare size={15} aria-hidden /> {name}
        </span>
        <span className={classes.hint} role="status">
          {hintFor(screen.state, viewOnly)}
        </span>
        <ScreenButtons
          frame={frame}
          sendCtrlAltDel={screen.sendCtrlAltDel}
          disabled={screen.state !== "connected" || viewOnly}
        />
      </div>
      <div
        className={classes.screen}
        ref={target}
        role="application"
        aria-label={`Screen of ${name}`}
        data-testid="live-screen"
      />
      {screen.state === "lost" && <Lost onAgain={screen.connectAgain} />}
    </div>
  );
}

type ScreenButtonsProps = {
  readonly frame: RefObject<HTMLDivElement | null>;
  readonly sendCtrlAltDel: () => void;
  readonly disabled: boolean;
};

function ScreenButtons({ frame, sendCtrlAltDel, disabled }: ScreenButtonsProps) {
  return (
    <span className={classes.buttons}>
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconKeyboard size={14} />}
        onClick={sendCtrlAltDel}
        disabled={disabled}
      >
        Ctrl-Alt-Del
      </Button>
      <Tooltip label="Full screen">
        <ActionIcon
          size="sm"
          aria-label="Full screen"
          onClick={() => void frame.current?.requestFullscreen()}
        >
          <IconMaximize size={15} />
        </ActionIcon>
      </Tooltip>
    </span>
  );
}

function Lost({ onAgain }: { readonly onAgain: () => void }): ReactNode {
  return (
    <div className={classes.lost}>
      <IconPlugConnectedX size={26} stroke={1.5} aria-hidden />
      <p>The connection to the screen ended. The machine itself is not affected.</p>
      <Button size="xs" onClick={onAgain}>
        Connect again
      </Button>
    </div>
  );
}

function hintFor(state: ScreenState, viewOnly: boolean): string {
  switch (state) {
    case "connecting":
      return "Connecting to the screen…";
    case "lost":
      return "Not connected";
    case "connected":
      return viewOnly
        ? "You may look; your role is read-only"
        : "Click the screen to type; Esc belongs to the machine";
  }
}
