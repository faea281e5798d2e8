/** What the signed-in user may do, so that the console offers nothing the server would refuse. The server decides all the same. */

import { useSuspenseQuery } from "@tanstack/react-query";
import { sessionQuery } from "./queries.ts";

export type May = { readonly change: boolean; readonly own: boolean };

export function useMay(): May {
  const { data: session } = useSuspenseQuery(sessionQuery());
  return { change: session.user.role !== "read-only", own: session.user.role === "owner" };
}
