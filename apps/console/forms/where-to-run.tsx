/** The choice of where a recovered machine runs: here, or at the other Mainstay that holds a replica. */

import { Radio } from "@mantine/core";
import type { Vault, VaultId } from "@mainstay/contract";
import { IconBuildingBroadcastTower, IconHome } from "@tabler/icons-react";
import classes from "./where-to-run.module.css";

export type Place = {
  readonly vaultId: VaultId;
  readonly name: string;
  readonly kind: Vault["kind"];
  readonly ready: boolean;
  /** Why it cannot run there. */
  readonly why: string | null;
};

type WhereToRunProps = {
  readonly places: readonly Place[];
  readonly chosen: VaultId | undefined;
  readonly onChoose: (vaultId: VaultId) => void;
};

export function WhereToRun({ places, chosen, onChoose }: WhereToRunProps) {
  return (
    <Radio.Group
      label="Where"
      value={chosen ?? null}
      onChange={(value) => {
        const place = places.find((one) => one.vaultId === value);
        if (place !== undefined) onChoose(place.vaultId);
      }}
    >
      <div className={classes.places}>
        {places.map((place) => (
          <PlaceCard key={place.vaultId} place={place} />
        ))}
      </div>
    </Radio.Group>
  );
}

function PlaceCard({ place }: { readonly place: Place }) {
  const Glyph = place.kind === "local" ? IconHome : IconBuildingBroadcastTower;
  return (
    <Radio.Card value={place.vaultId} disabled={!place.ready} className={classes.place}>
      <Radio.Indicator size="sm" />
      <span className="two-lines">
        <span className={classes.name}>
          <Glyph size={16} stroke={1.7} aria-hidden /> {place.kind === "local" ? "Here" : "Off-site"}
        </span>
        <span className="quiet">
          {place.ready ? place.name : `${place.name}: ${place.why ?? "not ready"}`}
        </span>
      </span>
    </Radio.Card>
  );
}
