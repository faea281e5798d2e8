/** Assumptions of our own code. A failure here is a defect, never bad input. */

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws unless `condition` holds; `message` states the invariant that is broken. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The value, which the caller knows to be there; `message` says why it must be. */
export function must<Value>(value: Value | null | undefined, message: string): Value {
  assert(value !== undefined && value !== null, message);
  return value;
}

/** For the `default` of an exhaustive switch: fails to compile when a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected case: ${JSON.stringify(value)}`);
}
