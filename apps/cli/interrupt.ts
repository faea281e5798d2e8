/** Ctrl-C and SIGTERM as an abort the commands can wind down on; the second one ends the process at once. */

export type Interruption = Disposable & { readonly signal: AbortSignal };

/** What a shell reports for a process ended by that signal. */
const EXIT_STATUS_OF = { SIGINT: 130, SIGTERM: 143 } as const;

export function listenForInterruption(onFirst: (exitStatus: number) => void): Interruption {
  const abort = new AbortController();
  const listener = (signalName: "SIGINT" | "SIGTERM"): void => {
    const exitStatus = EXIT_STATUS_OF[signalName];
    if (abort.signal.aborted) process.exit(exitStatus);
    onFirst(exitStatus);
    abort.abort();
  };
  process.on("SIGINT", listener).on("SIGTERM", listener);
  const stop = (): void => {
    process.off("SIGINT", listener).off("SIGTERM", listener);
  };
  return { signal: abort.signal, [Symbol.dispose]: stop };
}
