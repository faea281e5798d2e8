/** What a failed command says, and with which status it exits. */

import { MainstayError, messageOf, systemCodeOf } from "@mainstay/kit";
import { cliErrors, isCannotStart } from "./errors.ts";
import type { TerminalMode } from "./terminal/terminal.ts";

export type Failure = { readonly status: number; readonly lines: readonly string[] };

export type FailureContext = {
  readonly mode: TerminalMode;
  /** The command was asked to stop; whatever it then rejected with is not worth a word. */
  readonly interruptedStatus: number | undefined;
  /** MAINSTAY_DEBUG: show where it happened. */
  readonly withStack: boolean;
};

const CAUSES_MAX = 5;

/** One line for people, or one JSON document `{"error": …}` for programs; never a stack unless asked for. */
export function describeFailure(cause: unknown, context: FailureContext): Failure {
  if (context.interruptedStatus !== undefined && isAbort(cause))
    return { status: context.interruptedStatus, lines: [] };
  const status = isCannotStart(cause) ? 2 : 1;
  if (context.mode === "json") return { status, lines: [JSON.stringify({ error: asJson(cause) })] };
  const lines = [`mainstay: ${forPeople(cause)}`];
  if (cliErrors.is(cause, "usage")) lines.push(`Run "mainstay --help" to see what there is`);
  if (context.withStack) lines.push(stackOf(cause));
  return { status, lines };
}

function isAbort(cause: unknown): boolean {
  return cause instanceof Error && cause.name === "AbortError";
}

function asJson(cause: unknown): Readonly<Record<string, unknown>> {
  if (cause instanceof MainstayError)
    return { code: cause.code, message: cause.message, values: cause.values };
  const systemCode = systemCodeOf(cause);
  return { code: systemCode === undefined ? "defect" : `system.${systemCode}`, message: messageOf(cause) };
}

function forPeople(cause: unknown): string {
  if (cause instanceof MainstayError || systemCodeOf(cause)?.startsWith("E") === true)
    return messageOf(cause);
  return `This is a defect in Mainstay: ${messageOf(cause)}; run it again with MAINSTAY_DEBUG=1 and report what it prints`;
}

function stackOf(cause: unknown): string {
  const stacks: string[] = [];
  for (let at = cause; at instanceof Error && stacks.length < CAUSES_MAX; at = at.cause)
    stacks.push(at.stack ?? at.message);
  return stacks.join("\ncaused by ");
}
