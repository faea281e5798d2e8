/** Which package may import which, and why the others may not. ARCHITECTURE.md shows the same table to people. */

export type ImportRule = {
  /** Folders of packages; `*` for all. */
  readonly may: readonly string[];
  /** Why nothing else. */
  readonly because: string;
  /** Edges that look natural and are forbidden for a reason of their own. */
  readonly never?: Readonly<Record<string, string>>;
};

const LIBRARIES = ["kit", "vault", "nbd", "qemu"];

export const IMPORT_TABLE: Readonly<Record<string, ImportRule>> = {
  kit: { may: [], because: "everything imports the kit; an import of its own would close a ring" },
  contract: {
    may: ["kit"],
    because: "the contract is what server, agent and console share; it must load in a browser",
  },
  vault: {
    may: ["kit"],
    because: "the engine knows no customer, HTTP server or SQL, and must be useful alone",
    never: { contract: "the repository's format is restic's, not our API's" },
  },
  nbd: {
    may: ["kit"],
    because: "a protocol over a block device; where the blocks come from is not its business",
  },
  qemu: {
    may: ["kit"],
    because: "runs a machine on a disk it is given; where the disk comes from is not its business",
  },
  capture: {
    may: LIBRARIES,
    because: "reads disks into a vault and nothing else; it runs on customers' machines",
    never: {
      recovery: "what both need is in nbd and qemu; the agent must not carry the database drivers of probes",
    },
  },
  recovery: {
    may: LIBRARIES,
    because:
      "turns a restore point into a running machine, for a server, an agent and the command line alike",
    never: {
      capture: "a recovered machine is protected again by whoever runs it, through capture's own door",
    },
  },
  platform: {
    may: ["kit", "contract"],
    because: "the ground of every module knows none of them and no vault",
  },
  "modules/directory": {
    may: ["kit", "contract", "platform"],
    because: "the nouns all modules share depend on none of them",
  },
  "modules/protection": {
    may: ["kit", "contract", "platform", "modules/directory", "vault", "recovery"],
    because: "modules never call each other; what joins two is a file in apps/server/flows",
  },
  samples: {
    may: ["kit", "nbd", "qemu"],
    because: "builds the machine that is protected, so it must not use what protects it",
  },
  "apps/server": {
    may: ["kit", "contract", "vault", "nbd", "qemu", "recovery", "platform", "modules/*"],
    because: "the server is put together from libraries and modules",
    never: {
      capture: "disks are read where they are, by an agent; the server never opens one",
      "apps/console": "the console is files to serve, handed over by whoever starts the server",
      "apps/agent": "agents speak to the server through the contract only",
    },
  },
  "apps/agent": {
    may: ["contract", ...LIBRARIES, "capture", "recovery"],
    because: "the agent runs on customers' machines; every line in it is a line to trust there",
  },
  "apps/console": {
    may: ["contract", "kit"],
    because: "the console has no rule that the server lacks; all meet through the contract",
  },
  "apps/cli": {
    may: ["contract", ...LIBRARIES, "capture", "recovery", "modules/protection", "samples", "demo", "apps/*"],
    because:
      "the command line calls doors; the platform and the other modules are reached through the server",
  },
  demo: {
    may: ["kit", "contract", "platform", "vault", "qemu", "samples", "apps/server"],
    because:
      "plays provider and customer from outside: it starts the command line and speaks the contract, as people do",
    never: {
      recovery: "the recovery shown must be the server's own",
      capture: "the backup shown must be the agent's own",
    },
  },
  bench: { may: ["*"], because: "" },
  e2e: { may: ["*"], because: "" },
  tools: { may: ["*"], because: "" },
};

/** Modules without a line of their own. */
export const OTHER_MODULES: ImportRule = {
  may: ["kit", "contract", "platform", "modules/directory"],
  because: "modules never call each other; what joins two is a file in apps/server/flows",
};

export function ruleFor(folder: string): ImportRule | undefined {
  return IMPORT_TABLE[folder] ?? (folder.startsWith("modules/") ? OTHER_MODULES : undefined);
}

/** Why `from` may not import `to`; `undefined` when it may. */
export function objection(from: string, to: string): string | undefined {
  const rule = ruleFor(from);
  if (rule === undefined) return `${from} has no line in tools/tidy/import-table.ts; add one with its reason`;
  const special = rule.never?.[to];
  if (special !== undefined) return special;
  const allowed = rule.may.some(
    (each) => each === "*" || each === to || (each.endsWith("/*") && to.startsWith(each.slice(0, -1))),
  );
  return allowed ? undefined : rule.because;
}
