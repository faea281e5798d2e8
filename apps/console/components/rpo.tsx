/** RPO attained against its target: `12 min` of `1 h`, with an icon and a word when it is late or not measured. */

import { IconClockExclamation } from "@tabler/icons-react";
import { formatMinutes } from "../format/duration.ts";
import { rpoState } from "../format/rpo.ts";
import { Badge } from "./badge.tsx";
import { NotMeasured } from "./state-badges.tsx";

type RpoProps = { readonly attainedMinutes: number | null; readonly targetMinutes: number | null };

export function Rpo({ attainedMinutes, targetMinutes }: RpoProps) {
  const state = rpoState(attainedMinutes, targetMinutes);
  if (attainedMinutes === null) return <NotMeasured />;
  const text = formatMinutes(attainedMinutes);
  return (
    <span style={{ whiteSpace: "nowrap" }}>
      {state === "late" ? (
        <Badge tone="warn" icon={IconClockExclamation}>
          {text}
        </Badge>
      ) : (
        text
      )}
      {targetMinutes !== null && <span className="quiet"> of {formatMinutes(targetMinutes)}</span>}
    </span>
  );
}
