/** A moment: how long ago, and on hover or focus the date on the site's clock with its zone named. */

import { Tooltip } from "@mantine/core";
import { formatRelative } from "../format/duration.ts";
import { formatInstant, formatInstantInFull } from "../format/instant.ts";
import { useNow } from "./use-now.ts";

type WhenProps = {
  readonly at: string;
  readonly timeZone: string;
  /** Which of the two is printed; the other is in the tooltip. */
  readonly show?: "relative" | "absolute";
};

export function When({ at, timeZone, show = "relative" }: WhenProps) {
  const now = useNow();
  const moment = new Date(at);
  const full = formatInstantInFull(moment, timeZone);
  const relative = formatRelative(moment, now);
  const label = show === "relative" ? full : `${relative} · ${full}`;
  return (
    <Tooltip label={label}>
      <time dateTime={at} className="when">
        {show === "relative" ? relative : formatInstant(moment, timeZone)}
      </time>
    </Tooltip>
  );
}
