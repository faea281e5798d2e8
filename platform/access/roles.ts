/** The role table: what each role may call. Routes name the lowest role they take. */

import type { Role, RouteAccess } from "@mainstay/contract";

export const rolesAllowed: Readonly<Record<Exclude<RouteAccess, "peer">, readonly Role[]>> = {
  public: ["owner", "technician", "read-only"],
  "read-only": ["owner", "technician", "read-only"],
  technician: ["owner", "technician"],
  owner: ["owner"],
};

export function mayCall(role: Role, access: Exclude<RouteAccess, "peer">): boolean {
  return rolesAllowed[access].includes(role);
}
