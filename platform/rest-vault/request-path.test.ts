import { expect, test } from "vitest";
import { parseRequestPath } from "./request-path.ts";

const NAME = "0123456789abcdef".repeat(4);

test.each([
  ["/device/", { repository: "device", target: { kind: "repository" } }],
  ["/customer/device/config", { repository: "customer/device", target: { kind: "config" } }],
  ["/d/keys/", { repository: "d", target: { kind: "listing", of: "keys" } }],
  [`/a/b/c/d/data/${NAME}`, { repository: "a/b/c/d", target: { kind: "file", of: "data", name: NAME } }],
])("%s is understood", (path, expected) => {
  expect(parseRequestPath(path)).toEqual(expected);
});

test.each([
  "",
  "/",
  "//",
  "device/",
  "/device",
  "/config",
  `/data/${NAME}`,
  "/../etc/config",
  "/device/../other/config",
  "/./config",
  "/.hidden/config",
  "/a%2fb/config",
  "/a%00/config",
  "/a\0/config",
  "/a\\..\\b/config",
  "/a b/config",
  "/a//config",
  "/device/data",
  "/device/data/..",
  `/device/data/${NAME}/`,
  `/device/data/${NAME.toUpperCase()}`,
  `/device/data/${NAME}0`,
  `/device/data/01/${NAME}`,
  `/device/secrets/${NAME}`,
  "/device/data/config",
  "/device/keys/keys/",
  "/a/b/c/d/e/config",
  `/${"x".repeat(101)}/config`,
])("%j is refused", (path) => {
  expect(parseRequestPath(path)).toBeUndefined();
});
