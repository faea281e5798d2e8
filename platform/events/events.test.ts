import { afterAll, beforeAll, expect, test } from "vitest";
import type { LiveEvent } from "@mainstay/contract";
import type { OpenedPlatform } from "../platform.ts";
import { testPlatform } from "../testing.ts";
import { createDomainEvents, type DomainEvent } from "./domain.ts";

let platform: OpenedPlatform;

beforeAll(async () => {
  platform = await testPlatform();
});

afterAll(() => platform.close());

const changed = (subjectId: string): LiveEvent => ({
  type: "user.changed",
  customerId: null,
  deviceId: null,
  subjectId,
});

function next(): Promise<LiveEvent> {
  return new Promise((done) => {
    const end = platform.live.subscribe((event) => {
      end();
      done(event);
    });
  });
}

test("a live event comes with the commit and never after a rollback", async () => {
  const came = next();
  const failing = platform.database.asSystem("test", async (tx) => {
    await platform.live.announce(tx, changed("lost"));
    throw new Error("rolled back");
  });
  await expect(failing).rejects.toThrow("rolled back");
  await platform.database.asSystem("test", (tx) => platform.live.announce(tx, changed("kept")));
  expect(await came).toMatchObject({ subjectId: "kept" });
});

test("after the listening connection was lost, subscribers are told to read again and hear what follows", async () => {
  const came = next();
  await platform.database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mainstay live' and datname = current_database()",
  );
  expect(await came).toMatchObject({ type: "hello" });
  const later = next();
  platform.live.tell(changed("again"));
  expect(await later).toMatchObject({ subjectId: "again" });
});

test("a listener of a domain event that fails undoes what was told", async () => {
  const events = createDomainEvents();
  const happened: DomainEvent<string> = { name: "test.happened" };
  const heard: string[] = [];
  events.on(happened, async (_, body) => void heard.push(body));
  events.on(happened, async () => Promise.reject(new Error("refused")));
  const work = platform.database.asSystem("test", async (tx) => {
    await tx.query("insert into access.provider (name) values ('never')");
    await events.emit(tx, happened, "it");
  });
  await expect(work).rejects.toThrow("refused");
  expect(heard).toEqual(["it"]);
  expect(
    await platform.database.asSystem("test", (tx) => tx.query("select 1 from access.provider")),
  ).toHaveLength(0);
});
