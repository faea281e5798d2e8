/** The repository's password, from where restic's own users expect to give it. */

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { messageOf } from "@mainstay/kit";
import { cliErrors } from "../errors.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** The option to spread into the options of every command that opens a repository. */
export const passwordOption = {
  passwordFile: {
    value: "FILE",
    about:
      "file whose first line is the repository's password (default: $RESTIC_PASSWORD_FILE, $RESTIC_PASSWORD, or asked)",
  },
} as const;

export type PasswordRequest = {
  readonly passwordFile: string | undefined;
  /** Typed passwords are asked twice: a new repository must not be locked by a slip. */
  readonly isNew?: boolean;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly input?: NodeJS.ReadableStream;
};

/** In this order: `--password-file`, `RESTIC_PASSWORD_FILE`, `RESTIC_PASSWORD`, typed without echo on a terminal. */
export async function readRepositoryPassword(request: PasswordRequest): Promise<string> {
  const environment = request.environment ?? process.env;
  const file = request.passwordFile ?? environment["RESTIC_PASSWORD_FILE"];
  if (file !== undefined && file !== "") return readPasswordFile(file);
  const given = environment["RESTIC_PASSWORD"];
  if (given !== undefined && given !== "") return given;
  if (!request.terminal.canAsk || request.terminal.mode === "json") {
    throw cliErrors.error(
      "no-password",
      "Cannot open the repository: found no password and no terminal to ask on; use --password-file FILE or set RESTIC_PASSWORD",
    );
  }
  return askForPassword(request);
}

async function readPasswordFile(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, messageOf(cause), cause);
  });
  // Like restic: what an editor adds at the end is not part of the password.
  const password = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1)[0] ?? "";
  if (password === "") throw unreadable(path, "its first line is empty");
  return password;
}

function unreadable(path: string, found: string, cause?: unknown): Error {
  const message = `Cannot read the password from ${path}: ${found}; give a readable file whose first line is the password`;
  return cliErrors.error("unreadable-password-file", message, { cause, values: { path } });
}

async function askForPassword(request: PasswordRequest): Promise<string> {
  const { isNew = false } = request;
  const password = await askHidden("Repository password: ", request);
  if (password === "") {
    throw cliErrors.error(
      "no-password",
      "Cannot open the repository: the password typed is empty; type it again",
    );
  }
  if (isNew && (await askHidden("The same again: ", request)) !== password) {
    throw cliErrors.error(
      "password-mismatch",
      "Cannot create the repository: the two passwords differ; run it again",
    );
  }
  return password;
}

/** readline in terminal mode does the line editing; its echo goes nowhere. */
async function askHidden(question: string, request: PasswordRequest): Promise<string> {
  const { terminal, signal, input = process.stdin } = request;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input, output: silent, terminal: true, historySize: 0 });
  // In raw mode Ctrl-C is a key; hand it on as the signal the rest of the program listens to.
  reader.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  terminal.writeError(question);
  try {
    return await reader.question("", { signal });
  } finally {
    reader.close();
    terminal.writeError("\n");
  }
}
