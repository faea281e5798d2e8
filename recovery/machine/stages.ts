/** Watching a starting machine for the stages that it tells itself: firmware and login. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Machine } from "@mainstay/qemu";
import { recogniseText } from "../screen/screen.ts";
import {
  firmwareDonePattern,
  screenLoginPattern,
  serialLoginPattern,
  type Stage,
} from "../timeline/timeline.ts";

const STAGE_TIMEOUT_MS = 24 * 3600 * 1000;
/** Reading a screen costs a second of processor time, so only machines without a serial console are read, and seldom. */
const SCREEN_FIRST_MS = 20_000;
const SCREEN_PAUSE_MS = 10_000;

/** Calls `reached` for each stage, at most once; ends with the signal or the machine. Never rejects. */
export async function watchStages(
  machine: Machine,
  reached: (stage: Stage) => void,
  signal: AbortSignal,
): Promise<void> {
  const waiting = { signal, timeoutMs: STAGE_TIMEOUT_MS };
  const onFirmware = (): void => reached("firmware");
  await Promise.all([
    machine.firmwareText.waitFor(firmwareDonePattern, waiting).then(onFirmware, ignoreEnd),
    machine.serial.waitFor(firmwareDonePattern, waiting).then(onFirmware, ignoreEnd),
    machine.serial.waitFor(serialLoginPattern, waiting).then(() => reached("login"), ignoreEnd),
    watchScreen(machine, () => reached("login"), signal).catch(ignoreEnd),
  ]);
}

async function watchScreen(machine: Machine, onLogin: () => void, signal: AbortSignal): Promise<void> {
  await sleep(SCREEN_FIRST_MS, undefined, { signal, ref: false });
  while (!signal.aborted && machine.serial.tail() === "") {
    const text = await recogniseText(await machine.screenshot({ signal }), signal);
    if (screenLoginPattern.test(text)) return onLogin();
    await sleep(SCREEN_PAUSE_MS, undefined, { signal, ref: false });
  }
}

/** A stage that was not seen is not an error: the timeline simply lacks it. */
function ignoreEnd(): void {}
