import { afterEach, beforeEach, expect, test } from "vitest";
import { Secret, TOTP } from "otpauth";
import type { Client } from "@mainstay/contract";
import { fakeClock, type FakeClock } from "@mainstay/kit";
import type { OpenedPlatform } from "../platform.ts";
import { serveTest, testPlatform, TEST_OWNER, type TestServer } from "../testing.ts";

let clock: FakeClock;
let platform: OpenedPlatform;
let server: TestServer;

beforeEach(async () => {
  clock = fakeClock();
  platform = await testPlatform({ clock });
  server = await serveTest(platform);
});

afterEach(async () => {
  await server.close();
  await platform.close();
});

function codeFor(secret: string): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now().getTime() });
}

async function addUser(owner: Client, role: "technician" | "read-only", email: string): Promise<Client> {
  const { link } = await owner.users.create({ body: { email, name: role, role } });
  const client = server.visitor();
  await client.sessions.signInByLink({ body: { token: link.path.split("#")[1] ?? "" } });
  return client;
}

test("the first owner is made once, with the token that was printed", async () => {
  const visitor = server.visitor();
  expect((await visitor.setUp.read()).state).toBe("needed");
  const wrong = { token: "x".repeat(43), providerName: "P", name: "O", ...TEST_OWNER };
  await expect(visitor.setUp.complete({ body: wrong })).rejects.toMatchObject({
    status: 410,
    code: "access.link-spent",
  });
  const owner = await server.owner();
  expect((await owner.sessions.read()).user).toMatchObject({
    role: "owner",
    email: TEST_OWNER.email,
    totp: "off",
  });
  expect((await visitor.setUp.read()).state).toBe("done");
  await expect(visitor.setUp.complete({ body: wrong })).rejects.toMatchObject({
    status: 409,
    code: "access.set-up-done",
  });
});

test("sign-in wants the right password and tells nothing about which part was wrong", async () => {
  await server.owner();
  const visitor = server.visitor();
  await expect(visitor.sessions.read()).rejects.toMatchObject({ status: 401, code: "access.not-signed-in" });
  const wrongs = [
    { ...TEST_OWNER, password: "wrong" },
    { email: "nobody@example.test", password: "wrong" },
  ];
  const failures = await Promise.all(
    wrongs.map((body) => visitor.sessions.signIn({ body }).catch((cause: unknown) => cause)),
  );
  expect(failures.map((failure) => (failure as Error).message)).toEqual(
    Array(2).fill((failures[0] as Error).message),
  );
  expect((await visitor.sessions.signIn({ body: TEST_OWNER })).state).toBe("signed-in");
  await visitor.sessions.signOut();
  await expect(visitor.sessions.read()).rejects.toMatchObject({ code: "access.not-signed-in" });
});

test("a session ends when idle and can be ended from another one", async () => {
  const first = await server.owner();
  const second = server.visitor();
  await second.sessions.signIn({ body: TEST_OWNER });
  const { items } = await second.sessions.list();
  const other = items.find((item) => !item.current);
  expect(items).toHaveLength(2);
  await second.sessions.end({ params: { sessionId: other?.id ?? "" } });
  await expect(first.sessions.read()).rejects.toMatchObject({ status: 401 });
  clock.advance(13 * 3_600_000);
  await expect(second.sessions.read()).rejects.toMatchObject({ status: 401 });
});

test("with the second factor on, the password alone opens nothing and no code works twice", async () => {
  const owner = await server.owner();
  const { secret, otpauthUrl } = await owner.account.beginTotp();
  expect(otpauthUrl).toContain("otpauth://totp/Provider");
  await expect(owner.account.confirmTotp({ body: { code: "000000" } })).rejects.toMatchObject({
    code: "access.wrong-code",
  });
  const { recoveryCodes } = await owner.account.confirmTotp({ body: { code: codeFor(secret) } });
  expect(recoveryCodes).toHaveLength(10);

  const visitor = server.visitor();
  expect(await visitor.sessions.signIn({ body: TEST_OWNER })).toEqual({ state: "totp-required" });
  await expect(visitor.sessions.read()).rejects.toMatchObject({ status: 401 });
  await expect(
    visitor.sessions.signIn({ body: { ...TEST_OWNER, code: codeFor(secret) } }),
  ).rejects.toMatchObject({ code: "access.wrong-code" });
  clock.advance(30_000);
  const code = codeFor(secret);
  expect((await visitor.sessions.signIn({ body: { ...TEST_OWNER, code } })).state).toBe("signed-in");
  await expect(visitor.sessions.signIn({ body: { ...TEST_OWNER, code } })).rejects.toMatchObject({
    code: "access.wrong-code",
  });
});

test("a recovery code stands in for the second factor, once", async () => {
  const owner = await server.owner();
  const { secret } = await owner.account.beginTotp();
  const { recoveryCodes } = await owner.account.confirmTotp({ body: { code: codeFor(secret) } });
  const code = recoveryCodes[3] ?? "";
  const visitor = server.visitor();
  expect((await visitor.sessions.signIn({ body: { ...TEST_OWNER, code } })).state).toBe("signed-in");
  await expect(visitor.sessions.signIn({ body: { ...TEST_OWNER, code } })).rejects.toMatchObject({
    code: "access.wrong-code",
  });
  expect((await owner.account.removeTotp({ body: { password: TEST_OWNER.password } })).totp).toBe("off");
  expect((await visitor.sessions.signIn({ body: TEST_OWNER })).state).toBe("signed-in");
});

test("a one-time link signs in once and ends after its time", async () => {
  const owner = await server.owner();
  const { user, link } = await owner.users.create({
    body: { email: "New@Example.test", name: "New", role: "technician" },
  });
  expect(user).toMatchObject({ email: "new@example.test", password: "unset" });
  const token = link.path.split("#")[1] ?? "";
  const client = server.visitor();
  await client.sessions.signInByLink({ body: { token } });
  await expect(server.visitor().sessions.signInByLink({ body: { token } })).rejects.toMatchObject({
    status: 410,
  });
  await client.account.changePassword({ body: { newPassword: "quite another passphrase" } });
  const later = await owner.users.makeSignInLink({ params: { userId: user.id } });
  clock.advance(16 * 60_000);
  await expect(
    server.visitor().sessions.signInByLink({ body: { token: later.path.split("#")[1] ?? "" } }),
  ).rejects.toMatchObject({ status: 410 });
});

test("each role may call what the role table says and no more", async () => {
  const owner = await server.owner();
  const technician = await addUser(owner, "technician", "t@example.test");
  const reader = await addUser(owner, "read-only", "r@example.test");
  const denied = { status: 403, code: "access.not-allowed" };
  const newcomer = { body: { email: "x@example.test", name: "X", role: "owner" as const } };
  await expect(technician.users.create(newcomer)).rejects.toMatchObject(denied);
  await expect(reader.users.list()).rejects.toMatchObject(denied);
  await expect(reader.audit.list()).rejects.toMatchObject(denied);
  expect((await technician.users.list()).items).toHaveLength(3);
  expect((await reader.sessions.read()).user.role).toBe("read-only");
});

test("a user who is turned off is out at once, and the last owner stays", async () => {
  const owner = await server.owner();
  const reader = await addUser(owner, "read-only", "r@example.test");
  const { user } = await reader.sessions.read();
  await owner.users.update({ params: { userId: user.id }, body: { state: "off" } });
  await expect(reader.sessions.read()).rejects.toMatchObject({ status: 401 });
  const self = (await owner.sessions.read()).user.id;
  await expect(
    owner.users.update({ params: { userId: self }, body: { role: "technician" } }),
  ).rejects.toMatchObject({ code: "access.last-owner" });
  expect((await owner.sessions.read()).user.role).toBe("owner");
});

test("changing the password wants the old one, refuses a guessable one, and ends other sessions", async () => {
  const owner = await server.owner();
  const other = server.visitor();
  await other.sessions.signIn({ body: TEST_OWNER });
  const change = (currentPassword: string, newPassword: string) =>
    owner.account.changePassword({ body: { currentPassword, newPassword } });
  await expect(change("wrong", "quite another passphrase")).rejects.toMatchObject({
    code: "access.wrong-credentials",
  });
  await expect(change(TEST_OWNER.password, "passwordpassword")).rejects.toMatchObject({
    status: 422,
    code: "access.weak-password",
  });
  await change(TEST_OWNER.password, "quite another passphrase");
  await expect(other.sessions.read()).rejects.toMatchObject({ status: 401 });
  expect((await owner.sessions.read()).user.email).toBe(TEST_OWNER.email);
});

test("guessing is limited per account, and the limit passes with time", async () => {
  await server.owner();
  const visitor = server.visitor();
  const guess = () => visitor.sessions.signIn({ body: { ...TEST_OWNER, password: "wrong" } });
  for (let attempt = 0; attempt < 10; attempt += 1)
    await expect(guess()).rejects.toMatchObject({ code: "access.wrong-credentials" });
  await expect(guess()).rejects.toMatchObject({
    status: 429,
    code: "access.rate-limited",
    values: { retryAfterSeconds: 900 },
  });
  await expect(visitor.sessions.signIn({ body: TEST_OWNER })).rejects.toMatchObject({ status: 429 });
  clock.advance(901_000);
  expect((await visitor.sessions.signIn({ body: TEST_OWNER })).state).toBe("signed-in");
});

test("every change is in the audit log, without secrets, and cannot be changed there", async () => {
  const owner = await server.owner();
  await owner.users.create({ body: { email: "t@example.test", name: "T", role: "technician" } });
  await owner.account.changePassword({
    body: { currentPassword: TEST_OWNER.password, newPassword: "quite another passphrase" },
  });
  const page = await owner.audit.list({ query: { limit: 2 } });
  const rest = await owner.audit.list({ query: { limit: 2, cursor: page.next ?? "" } });
  const actions = [...page.items, ...rest.items].map((entry) => entry.action);
  expect(actions).toEqual(["user.change-password", "user.create", "server.set-up"]);
  expect(rest.next).toBeNull();
  expect(JSON.stringify([page, rest])).not.toMatch(/argon2|battery|passphrase/);
  const alter = (sql: string) => platform.database.asSystem("test", (tx) => tx.query(sql));
  await expect(alter("update audit.entry set action = 'x'")).rejects.toThrow(/permission denied/);
  await expect(alter("delete from audit.entry")).rejects.toThrow(/permission denied/);
});

test("a page of another site cannot act, with or without a cookie", async () => {
  await server.owner();
  const foreign = server.visitor({ origin: "https://evil.example" });
  await expect(foreign.sessions.signIn({ body: TEST_OWNER })).rejects.toMatchObject({
    status: 403,
    code: "request.foreign-origin",
  });
  const crossSite = server.visitor({ "sec-fetch-site": "cross-site" });
  await expect(crossSite.sessions.signOut()).rejects.toMatchObject({ code: "request.foreign-origin" });
  const own = server.visitor({ origin: server.address, "sec-fetch-site": "same-origin" });
  expect((await own.sessions.signIn({ body: TEST_OWNER })).state).toBe("signed-in");
});

test("the database holds no password, token or second-factor secret that could be used", async () => {
  const owner = await server.owner();
  const { secret } = await owner.account.beginTotp();
  const dump = await platform.database.asSystem("test", async (tx) => {
    const tables = ["user", "session", "one_time_link", "recovery_code"];
    return (
      await Promise.all(
        tables.map((table) =>
          tx.query<{ row: string }>(`select row_to_json(t)::text as row from access."${table}" t`),
        ),
      )
    ).flat();
  });
  const text = dump.map(({ row }) => row).join("\n");
  expect(text).toContain("$argon2id$v=19$m=47104,t=1,p=1$");
  expect(text).not.toContain(secret);
  expect(text).not.toContain(Buffer.from(secret).toString("hex"));
});
