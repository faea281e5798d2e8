import { expect, test } from "vitest";
import { vaultErrors } from "../errors.ts";
import { openBackend } from "./open-backend.ts";
import { parseRestAddress } from "./rest-address.ts";

test("a folder and an address are told apart", () => {
  expect(openBackend("/srv/backup").location).toBe("/srv/backup");
  expect(openBackend("local:/srv/backup").location).toBe("/srv/backup");
  expect(openBackend("rest:https://u:p@host:8000/a").location).toBe("rest:https://host:8000/a/");
});

test("user and password may hold any character", () => {
  const { url, credentials } = parseRestAddress("http://a%40b:p%3A%2F%20%C3%A4@[::1]:80/x/y");
  expect(credentials).toEqual({ user: "a@b", password: "p:/ ä" });
  expect(url.href).toBe("http://[::1]/x/y/");
});

test.each([
  "",
  "  ",
  "s3:https://key:hush@host/bucket",
  "http://u:hush@host/",
  "sftp:u:hush@host:/srv",
  "rest:",
  "rest:/srv/backup",
  "rest:ftp://u:hush@host/",
  "rest:http://u:hush@",
  "rest:http://u:hush@host:99999/",
  "rest:http://u:%zzhush@host/",
  "rest:http://u:hush@host/?create=true",
])("%j is refused, without showing a password", (location) => {
  let caught: unknown;
  try {
    openBackend(location);
  } catch (cause) {
    caught = cause;
  }
  expect(vaultErrors.is(caught, "location-invalid")).toBe(true);
  expect(String(caught)).not.toContain("hush");
  expect(JSON.stringify(caught)).not.toContain("hush");
});
