import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTerminal } from "../terminal/terminal.ts";
import { readRepositoryPassword, type PasswordRequest } from "./password.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-password-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(text: string): Promise<string> {
  const path = join(directory, `${Math.random()}`);
  await writeFile(path, text);
  return path;
}

function ask(request: Partial<PasswordRequest>, canAsk = false) {
  let shown = "";
  const error = {
    write: (text: string | Uint8Array) => ((shown += String(text)), true),
    isTTY: canAsk,
    columns: 80,
  };
  const terminal = createTerminal("text", { output: error, error, input: { isTTY: canAsk } });
  const signal = new AbortController().signal;
  const password = readRepositoryPassword({
    passwordFile: undefined,
    terminal,
    signal,
    environment: {},
    ...request,
  });
  return { password, shown: () => shown };
}

test("the option goes before the environment's file, that before the environment's password", async () => {
  const environment = {
    RESTIC_PASSWORD_FILE: await file("from the environment's file"),
    RESTIC_PASSWORD: "direct",
  };
  const passwordFile = await file("from the option");
  expect(await ask({ passwordFile, environment }).password).toBe("from the option");
  expect(await ask({ environment }).password).toBe("from the environment's file");
  expect(await ask({ environment: { RESTIC_PASSWORD: "direct" } }).password).toBe("direct");
});

test.each(["secret\n", "secret\r\n", "\uFEFFsecret", "secret\nsecond line"])(
  "the file %j holds the password secret",
  async (text) => {
    expect(await ask({ passwordFile: await file(text) }).password).toBe("secret");
  },
);

test("spaces are part of the password", async () => {
  expect(await ask({ passwordFile: await file(" a b \n") }).password).toBe(" a b ");
});

test("an absent and an empty file are refused, the file named", async () => {
  const empty = await file("\n");
  await expect(ask({ passwordFile: empty }).password).rejects.toThrow(`${empty}: its first line is empty`);
  await expect(ask({ passwordFile: "/nowhere/p" }).password).rejects.toMatchObject({
    code: "cli.unreadable-password-file",
  });
});

test("without a terminal nothing is asked", async () => {
  await expect(ask({}).password).rejects.toMatchObject({ code: "cli.no-password" });
});

test("a typed password is not echoed", async () => {
  const input = new PassThrough();
  const { password, shown } = ask({ input }, true);
  input.write("s3cret\r");
  expect(await password).toBe("s3cret");
  expect(shown()).toBe("Repository password: \n");
});

test("a new repository's password is asked twice and must be the same", async () => {
  const input = new PassThrough();
  const { password, shown } = ask({ input, isNew: true }, true);
  input.write("one\r");
  await expect.poll(shown).toContain("again");
  input.write("other\r");
  await expect(password).rejects.toMatchObject({ code: "cli.password-mismatch" });
});
