/** Every error code a route may answer with, its HTTP status and its meaning. The server maps errors by this table only. */

export const errorCodes = {
  "request.invalid": {
    status: 400,
    meaning: "A parameter, query or body is not as the contract wants it; values.issues names each place",
  },
  "request.not-found": { status: 404, meaning: "No such route, or no such thing that you may see" },
  "request.foreign-origin": {
    status: 403,
    meaning: "A browser sent this request from a page of another site",
  },
  "request.too-large": { status: 413, meaning: "The body is larger than the route takes" },
  "request.conflict": {
    status: 409,
    meaning: "The thing is not in the state this action wants, or the name is taken",
  },
  "access.not-signed-in": { status: 401, meaning: "No session, or one that has ended" },
  "access.not-allowed": { status: 403, meaning: "The role of this user does not include this action" },
  "access.wrong-credentials": {
    status: 401,
    meaning: "E-mail, password or code is wrong, or the account is off",
  },
  "access.wrong-code": { status: 401, meaning: "The one-time code is wrong or was used already" },
  "access.link-spent": { status: 410, meaning: "The one-time link was used already, or its time is over" },
  "access.set-up-done": { status: 409, meaning: "The first owner exists already" },
  "access.rate-limited": {
    status: 429,
    meaning: "Too many attempts; values.retryAfterSeconds tells when the next may come",
  },
  "access.weak-password": { status: 422, meaning: "The new password is too short or too common" },
  "access.last-owner": {
    status: 409,
    meaning: "The last active owner cannot be turned off or lose the role",
  },
  "directory.token-refused": {
    status: 403,
    meaning: "The enrolment token is unknown, spent, revoked or past its time",
  },
  "protection.not-running": { status: 409, meaning: "The run or session has ended already" },
  "protection.point-missing": { status: 409, meaning: "The chosen vault does not hold this restore point" },
  "protection.vault-unreachable": { status: 502, meaning: "The other vault did not answer" },
  "protection.agent-away": { status: 409, meaning: "The agent of this device is not connected" },
  "protection.no-plan": { status: 409, meaning: "The device has no protection plan or nothing to capture" },
  "protection.no-space": { status: 507, meaning: "The disk that this action needs is full" },
  "protection.machine-failed": { status: 500, meaning: "The virtual machine could not be started" },
  "server.defect": {
    status: 500,
    meaning: "A defect of the server; its log has the details under values.requestId",
  },
  "server.stopping": { status: 503, meaning: "The server is going down; try again shortly" },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly meaning: string }>>;

export type ErrorCode = keyof typeof errorCodes;
