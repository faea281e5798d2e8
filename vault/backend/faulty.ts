/** The faulty twin of a backend: fails when told, as disks and networks do. For tests. */

import { vaultErrors } from "../errors.ts";
import type { Backend, FileRef } from "./backend.ts";
import { pathOf, sizeOf } from "./file-ref.ts";

export type BackendMethod = "create" | "stat" | "list" | "read" | "write" | "remove";

export type Fault =
  /** Fails before anything is done. */
  | { readonly kind: "unreachable" | "refused" | "full" }
  /** Does all that was asked, but the answer is lost. */
  | { readonly kind: "answer-lost" }
  /** A write stores only the first bytes and fails, as on a place that cannot write in one step. */
  | { readonly kind: "torn"; readonly keptBytes: number }
  /** A read answers with one bit changed, without saying so. */
  | { readonly kind: "bit-flipped"; readonly bit: number };

export type FaultPlan = {
  readonly method: BackendMethod;
  readonly fault: Fault;
  /** Only calls for such files. */
  readonly matches?: (file: FileRef) => boolean;
  /** How often; once, unless told. */
  readonly times?: number;
};

export type FaultyBackend = Backend & {
  /** The next calls that fit will fail so. Plans are used up in the order they were made. */
  plan(fault: FaultPlan): void;
  /** From now on there is room for only so many bytes more; `Infinity` again is no bound. */
  leaveRoom(sizeBytes: number): void;
  /** How many planned faults have not happened yet. */
  pending(): number;
};

export function createFaultyBackend(backend: Backend): FaultyBackend {
  const plans: { readonly plan: FaultPlan; left: number }[] = [];
  let roomBytes = Infinity;

  const nextFault = (method: BackendMethod, file?: FileRef): Fault | undefined => {
    const found = plans.find(({ plan, left }) => left > 0 && plan.method === method && fits(plan, file));
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.plan.fault;
  };
  const run = async <Result>(
    method: BackendMethod,
    file: FileRef | undefined,
    task: (fault: Fault | undefined) => Promise<Result>,
  ): Promise<Result> => {
    const fault = nextFault(method, file);
    failBefore(fault, backend.location);
    const result = await task(fault);
    if (fault?.kind === "answer-lost") throw failure("unreachable", backend.location);
    return result;
  };

  return {
    location: backend.location,
    create: () => run("create", undefined, () => backend.create()),
    stat: (file) => run("stat", file, () => backend.stat(file)),
    list: async function* (kind, signal) {
      const fault = nextFault("list");
      failBefore(fault, backend.location);
      yield* backend.list(kind, signal);
      if (fault?.kind === "answer-lost") throw failure("unreachable", backend.location);
    },
    read: (file, range, signal) =>
      run("read", file, async (fault) => {
        const bytes = await backend.read(file, range, signal);
        if (fault?.kind === "bit-flipped") flip(bytes, fault.bit);
        return bytes;
      }),
    write: (file, parts, signal) =>
      run("write", file, async (fault) => {
        if (fault?.kind === "torn") {
          await backend.write(file, [Buffer.concat(parts).subarray(0, fault.keptBytes)], signal);
          throw failure("unreachable", backend.location);
        }
        const sizeBytes = sizeOf(parts);
        if (sizeBytes > roomBytes) throw failure("full", backend.location);
        roomBytes -= sizeBytes;
        await backend.write(file, parts, signal);
      }),
    remove: (file) => run("remove", file, () => backend.remove(file)),
    close: () => backend.close(),
    plan: (plan) => void plans.push({ plan, left: plan.times ?? 1 }),
    leaveRoom: (sizeBytes) => {
      roomBytes = sizeBytes;
    },
    pending: () => plans.reduce((sum, { left }) => sum + left, 0),
  };
}

function fits(plan: FaultPlan, file?: FileRef): boolean {
  if (plan.matches === undefined) return true;
  return file !== undefined && plan.matches(file) && pathOf(file) !== "";
}

function failBefore(fault: Fault | undefined, location: string): void {
  if (fault?.kind === "unreachable" || fault?.kind === "refused" || fault?.kind === "full") {
    throw failure(fault.kind, location);
  }
}

function failure(kind: "unreachable" | "refused" | "full", location: string): Error {
  return vaultErrors.error(
    `backend-${kind}`,
    `Cannot use ${location}: a test made it fail (${kind}); remove the fault`,
  );
}

function flip(bytes: Uint8Array, bit: number): void {
  const at = bit >> 3;
  if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
}
