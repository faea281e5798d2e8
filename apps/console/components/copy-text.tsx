/** A text to take elsewhere exactly as it is: an address, a command, a token. */

import { ActionIcon, CopyButton, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import classes from "./copy-text.module.css";

type CopyTextProps = {
  readonly text: string;
  /** What is copied, for the button's name: `Copy the install command`. */
  readonly what: string;
  readonly lines?: "one" | "wrap";
};

export function CopyText({ text, what, lines = "wrap" }: CopyTextProps) {
  return (
    <span className={classes.frame}>
      <code className={classes.text} data-lines={lines}>
        {text}
      </code>
      <CopyIcon text={text} what={what} />
    </span>
  );
}

export function CopyIcon({ text, what }: { readonly text: string; readonly what: string }) {
  return (
    <CopyButton value={text} timeout={1800}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : `Copy ${what}`}>
          <ActionIcon
            onClick={copy}
            size="sm"
            aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
            className={classes.button}
          >
            {copied ? <IconCheck size={15} color="var(--good)" /> : <IconCopy size={15} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}
