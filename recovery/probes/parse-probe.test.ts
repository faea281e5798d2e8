import { describe, expect, test } from "vitest";
import { recoveryErrors } from "../errors.ts";
import { parseProbe } from "./parse-probe.ts";
import { describeProbe, redact } from "./probe-spec.ts";

describe("parseProbe", () => {
  test("reads every kind in its written form", () => {
    expect(parseProbe("tcp:5432")).toEqual({ kind: "tcp", port: 5432, timeoutMs: 300_000 });
    expect(parseProbe("tcp:25?text=220 &timeout=5")).toEqual({
      kind: "tcp",
      port: 25,
      text: "220 ",
      timeoutMs: 5_000,
    });
    expect(parseProbe("http:80?path=/a?b=c&status=204&text=o%26k")).toMatchObject({
      kind: "http",
      path: "/a?b=c",
      status: 204,
      text: "o&k",
    });
    expect(parseProbe("https:")).toMatchObject({ kind: "https", port: 443, path: "/", status: 200 });
    expect(
      parseProbe(
        "sql:postgresql://app:p%40ss:w@:5433/shop?query=select count(*) from t where a like '50%'&expect=1|2%0A3|4",
      ),
    ).toEqual({
      kind: "sql",
      engine: "postgresql",
      port: 5433,
      user: "app",
      password: "p@ss:w",
      database: "shop",
      query: "select count(*) from t where a like '50%'",
      expect: "1|2\n3|4",
      timeoutMs: 300_000,
    });
    expect(parseProbe("sql:mysql://root@/db?query=select 1+1")).toMatchObject({
      engine: "mysql",
      port: 3306,
      password: "",
      query: "select 1+1",
    });
    expect(parseProbe("sql:sqlserver://sa:x@localhost/db?query=select 1")).toMatchObject({
      engine: "sqlserver",
      port: 1433,
    });
    expect(parseProbe("screen?text=login:")).toEqual({
      kind: "screen",
      pattern: "login:",
      timeoutMs: 300_000,
    });
    expect(parseProbe("guest:/bin/systemctl is-active postgresql?exit=3&text=in")).toMatchObject({
      path: "/bin/systemctl",
      args: ["is-active", "postgresql"],
      exitCode: 3,
      text: "in",
    });
  });

  test("reads back its own values as JSON", () => {
    for (const text of [
      "tcp:1?text=x",
      "https:8443?path=/x",
      "sql:mysql://a:b@/c?query=d&expect=e",
      "screen?text=a.b",
      "guest:/bin/true a b",
    ]) {
      const spec = parseProbe(text);
      expect(parseProbe(JSON.stringify(spec))).toEqual(spec);
    }
  });

  test.each([
    ["", /kind ""/],
    ["ping:3", /found kind "ping", wanted tcp/],
    ["tcp:70000", /port "70000", wanted 1 to 65535/],
    ["tcp:5?path=/", /option "path", wanted text, timeout/],
    ["http:80?path=x", /path "x"/],
    ["sql:postgresql://a:secret@:5432/db", /wanted sql:postgresql/],
    ["sql:oracle://a:secret@/db?query=x", /wanted sql:postgresql/],
    ["screen?text=(", /no regular expression/],
    ["guest:", /no command/],
    ["tcp:5?timeout=0", /timeout "0"/],
    ['{"kind":"tcp"}', /no "port" in JSON/],
    ['{"kind":"tcp","port":1,"host":"x"}', /field "host"/],
    ["{", /broken JSON/],
    ['{"kind":"guest","path":"/x","args":"y"}', /list of texts/],
  ])("refuses %s", (text, message) => {
    expect(() => parseProbe(text)).toThrow(message);
    try {
      parseProbe(text);
    } catch (cause) {
      expect(recoveryErrors.is(cause, "probe-malformed")).toBe(true);
      expect(String(cause)).not.toContain("secret");
    }
  });
});

test("descriptions and redacted texts hold no password", () => {
  const spec = parseProbe("sql:postgresql://app:s%26cret@/shop?query=select 's%26cret'&expect=1");
  expect(redact(spec, describeProbe(spec))).toBe(
    "postgresql port 5432 database shop as app: select '***' = 1",
  );
});
