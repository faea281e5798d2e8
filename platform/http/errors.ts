/** Error codes that the contract names, as catalogues to throw from, and the one place where an error becomes a status. */

import { errorCodes, type ErrorBody } from "@mainstay/contract";
import { MainstayError, type ErrorDetails } from "@mainstay/kit";

type ContractArea = "request" | "access" | "directory" | "protection" | "server";
type NamesOf<Area extends ContractArea> =
  Extract<keyof typeof errorCodes, `${Area}.${string}`> extends infer Code
    ? Code extends `${Area}.${infer Name}`
      ? Name
      : never
    : never;

export type ContractErrors<Area extends ContractArea> = {
  error(name: NamesOf<Area>, message: string, details?: ErrorDetails): MainstayError;
  is(cause: unknown, name: NamesOf<Area>): cause is MainstayError;
};

/** The codes of one area of the contract's table; their meanings stand there. */
export function contractErrors<Area extends ContractArea>(area: Area): ContractErrors<Area> {
  return {
    error: (name, message, details) => new MainstayError(`${area}.${name}`, message, details),
    is: (cause: unknown, name): cause is MainstayError =>
      cause instanceof MainstayError && cause.code === `${area}.${name}`,
  };
}

export const requestErrors = contractErrors("request");
export const accessErrors = contractErrors("access");
export const serverErrors = contractErrors("server");

/** `noun` that is not there, or that the caller may not see: both look alike, so that ids cannot be tried out. */
export function notFound(noun: string, id: string): MainstayError {
  return requestErrors.error("not-found", `Cannot find ${noun} "${id}"; it may have been removed`, {
    values: { noun, id },
  });
}

export type ErrorAnswer = { readonly status: number; readonly body: ErrorBody };

/** What a failed request answers. A failure that is not ours tells nothing but the number to look up in the log. */
export function answerOf(cause: unknown, requestId: string): ErrorAnswer {
  if (cause instanceof MainstayError) {
    const status = statuses.get(cause.code) ?? 500;
    return {
      status,
      body: { error: { code: cause.code, message: cause.message, values: { ...cause.values } } },
    };
  }
  const message = `The server failed on this request; look for ${requestId} in its log`;
  return { status: 500, body: { error: { code: "server.defect", message, values: { requestId } } } };
}

const statuses: ReadonlyMap<string, number> = new Map(
  Object.entries(errorCodes).map(([code, { status }]) => [code, status]),
);
