/** The cache of what the server said. Nothing is guessed ahead of its answer; live events mark what to read again. */

import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "@mainstay/contract";
import { isSignedOut } from "./problem.ts";

const FRESH_MS = 20_000;
const RETRIES_MAX = 2;
const SESSION_AREA = "session";

/** `onSignedOut` is called when the server no longer knows the session; it may be called several times in a row. */
export function createQueryClient(onSignedOut: () => void): QueryClient {
  const onError = (cause: unknown) => {
    if (isSignedOut(cause)) onSignedOut();
  };
  return new QueryClient({
    queryCache: new QueryCache({
      // Whoever asks for the session itself deals with there being none; telling here too would ask again for ever.
      onError: (cause, query) => {
        if (query.queryKey[0] !== SESSION_AREA || query.queryKey.length > 1) onError(cause);
      },
    }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: { staleTime: FRESH_MS, retry: (failures, cause) => failures < RETRIES_MAX && mayPass(cause) },
      mutations: { retry: false },
    },
  });
}

/** Only silence and a server that is going down are worth asking again. */
function mayPass(cause: unknown): boolean {
  return cause instanceof ApiError && (cause.status === 0 || cause.code === "server.stopping");
}
