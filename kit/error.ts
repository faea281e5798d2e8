/**
 * The two kinds of failure: a broken assumption of ours (`assert`), and the world not being as wanted (`MainstayError`).
 *
 * Each package declares its codes once, in `errors.ts`, with {@link defineErrors}; `docs/errors.md` lists them all.
 */

/** A failure that a person or a program can act on. Its message says action, found and wanted, and the way out. */
export class MainstayError extends Error {
  override readonly name = "MainstayError";
  /** Stable, `area.what`; never reused for another meaning. */
  readonly code: string;
  /** The values the message speaks of, for programs. */
  readonly values: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: ErrorDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.values = options.values ?? {};
  }
}

export type ErrorDetails = {
  readonly cause?: unknown;
  readonly values?: Readonly<Record<string, unknown>> | undefined;
};

export type ErrorCatalogue<Area extends string, Name extends string> = {
  readonly area: Area;
  /** What each code means, one sentence, for the documentation. */
  readonly meanings: Readonly<Record<Name, string>>;
  /** Makes (does not throw) the error `area.name`. */
  error(name: Name, message: string, details?: ErrorDetails): MainstayError;
  /** Whether `cause` is the error `area.name`. */
  is(cause: unknown, name: Name): cause is MainstayError;
};

/** Declares the error codes of one area; `meanings` maps the name after the dot to a sentence for the docs page. */
export function defineErrors<Area extends string, Name extends string>(
  area: Area,
  meanings: Readonly<Record<Name, string>>,
): ErrorCatalogue<Area, Name> {
  return Object.freeze({
    area,
    meanings,
    error: (name: Name, message: string, details?: ErrorDetails) =>
      new MainstayError(`${area}.${name}`, message, details),
    is: (cause: unknown, name: Name): cause is MainstayError =>
      cause instanceof MainstayError && cause.code === `${area}.${name}`,
  });
}

/** The message of anything thrown, for logs and for wrapping. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The `code` of a system error such as `ENOSPC`, if `cause` is one. */
export function systemCodeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}
