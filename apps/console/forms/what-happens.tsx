/** Before a recovery starts: what it will do, and above all what it will not. */

import type { Device } from "@mainstay/contract";
import classes from "./what-happens.module.css";
import type { Place } from "./where-to-run.tsx";

type WhatHappensProps = {
  readonly device: Device;
  readonly place: Place | undefined;
  readonly ports: readonly number[];
};

export function WhatHappens({ device, place, ports }: WhatHappensProps) {
  return (
    <div className={classes.frame}>
      <h3 className={classes.title}>What happens</h3>
      <ul className={classes.list}>
        {sentences(device, place, ports).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </div>
  );
}

function sentences(device: Device, place: Place | undefined, ports: readonly number[]): readonly string[] {
  if (place === undefined)
    return ["No vault can run this restore point now: none holds a whole copy and answers."];
  const where = place.kind === "local" ? "on this server" : `at ${place.name}, from the replica there alone`;
  return [
    `A copy of ${device.name} starts ${where}, straight from the repository.`,
    "What it writes is kept aside and gone when the session stops. The restore point stays as it is.",
    ports.length === 0
      ? "It reaches no network, so it cannot meet the original; you use it through its screen."
      : `It reaches no network; port ${ports.join(", ")} can be reached from the server that runs it.`,
    device.agent?.connected === true
      ? `${device.name} itself is connected and goes on running, untouched.`
      : `${device.name} itself is not touched.`,
  ];
}
