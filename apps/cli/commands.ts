/**
 * Every command there is. To add one: write its file, which exports `command` (see `defineCommand`), and its line here.
 *
 * The files are imported only when their command runs, so that `--help` and each command start quickly.
 */

import type { CommandDeclaration } from "./command.ts";

export type ListedCommand = {
  /** What is typed, such as `vault backup image`. */
  readonly words: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandDeclaration }>;
};

export type CommandGroup = { readonly title: string; readonly commands: readonly ListedCommand[] };

export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    title: "Run Mainstay",
    commands: [
      {
        words: "up",
        summary: "Run the server",
        load: () => import("./server/up.ts"),
      },
      {
        words: "demo",
        summary: "Protect a real server, lose it, run it again off-site, and prove it",
        load: () => import("./demo.ts"),
      },
      {
        words: "peer invite",
        summary: "Let another Mainstay keep replicas here",
        load: () => import("./peer/invite.ts"),
      },
      {
        words: "admin sign-in-link",
        summary: "Make a one-time sign-in link",
        load: () => import("./server/sign-in-link.ts"),
      },
    ],
  },
  {
    title: "Vault",
    commands: [
      {
        words: "vault init",
        summary: "Make an empty repository",
        load: () => import("./vault/init.ts"),
      },
      {
        words: "vault backup image",
        summary: "Back up a disk as a restore point",
        load: () => import("./vault/backup-image.ts"),
      },
      {
        words: "vault backup files",
        summary: "Back up files and folders as a restore point",
        load: () => import("./vault/backup-files.ts"),
      },
      {
        words: "vault points",
        summary: "List the restore points",
        load: () => import("./vault/points.ts"),
      },
      {
        words: "vault check",
        summary: "Check that everything can be restored",
        load: () => import("./vault/check.ts"),
      },
      {
        words: "vault restore",
        summary: "Restore a disk, a file or a folder",
        load: () => import("./vault/restore.ts"),
      },
      {
        words: "vault serve-nbd",
        summary: "Serve a disk of a restore point without copying it",
        load: () => import("./vault/serve-nbd.ts"),
      },
      {
        words: "vault forget",
        summary: "Drop restore points that no rule keeps",
        load: () => import("./vault/forget.ts"),
      },
      {
        words: "vault prune",
        summary: "Free what no restore point needs",
        load: () => import("./vault/prune.ts"),
      },
      {
        words: "vault repair-index",
        summary: "Make a lost or damaged index anew",
        load: () => import("./vault/repair-index.ts"),
      },
    ],
  },
  {
    title: "Recovery",
    commands: [
      {
        words: "recover",
        summary: "Run the machine of a restore point, and prove it",
        load: () => import("./recover.ts"),
      },
    ],
  },
  {
    title: "Agent",
    commands: [
      {
        words: "agent enrol",
        summary: "Make this machine a device of a server",
        load: () => import("./agent/enrol.ts"),
      },
      {
        words: "agent run",
        summary: "Run the agent",
        load: () => import("./agent/run.ts"),
      },
    ],
  },
  {
    title: "Evidence",
    commands: [
      {
        words: "evidence verify",
        summary: "Check an exported evidence ledger",
        load: () => import("./evidence/verify.ts"),
      },
    ],
  },
  {
    title: "Develop",
    commands: [
      {
        words: "test",
        summary: "Run the static checks and the tests",
        load: () => import("./develop/test.ts"),
      },
      {
        words: "bench",
        summary: "Run a benchmark, beside what it is measured against",
        load: () => import("./develop/bench.ts"),
      },
    ],
  },
];
