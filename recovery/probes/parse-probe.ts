/**
 * Probes as people write them, on a command line or in a plan:
 *
 *     KIND:TARGET?OPTION=VALUE&OPTION=VALUE
 *
 *     tcp:5432                                    tcp:25?text=220
 *     http:80?path=/health&status=200&text=ok     https:443
 *     sql:postgresql://user:password@:5432/shop?query=select count(*) from orders&expect=1000
 *     sql:mysql://…  sql:sqlserver://…            screen?text=login:
 *     guest:/usr/bin/systemctl is-active postgresql?exit=0&text=active
 *
 * `timeout=SECONDS` goes with every kind. In values, `&` is written %26, `%` %25 and a line feed %0A. The JSON form is the
 * {@link ProbeSpec} itself and starts with `{`.
 */

import { recoveryErrors } from "../errors.ts";
import type {
  GuestProbe,
  HttpProbe,
  ProbeSpec,
  ScreenProbe,
  SqlEngine,
  SqlProbe,
  TcpProbe,
} from "./probe-spec.ts";

const SPEC_CHARS_MAX = 16_384;
const TIMEOUT_SECONDS = 300;
const TIMEOUT_SECONDS_MAX = 24 * 3600;
const PATTERN_CHARS_MAX = 500;
const enginePorts: Readonly<Record<SqlEngine, number>> = { postgresql: 5432, mysql: 3306, sqlserver: 1433 };

type Options = ReadonlyMap<string, string>;
type Written = {
  readonly text: string;
  readonly kind: string;
  readonly target: string;
  readonly options: Options;
};

/** Throws `recovery.probe-malformed`; its message never repeats a password. */
export function parseProbe(text: string): ProbeSpec {
  if (text.length > SPEC_CHARS_MAX) throw malformed(`${text.length} characters`, `at most ${SPEC_CHARS_MAX}`);
  const trimmed = text.trim();
  return trimmed.startsWith("{") ? parseJsonProbe(trimmed) : parseWritten(split(trimmed));
}

function split(text: string): Written {
  const question = text.indexOf("?");
  const head = question < 0 ? text : text.slice(0, question);
  const colon = head.indexOf(":");
  const kind = colon < 0 ? head : head.slice(0, colon);
  const options = new Map<string, string>();
  for (const part of question < 0 ? [] : text.slice(question + 1).split("&")) {
    const equals = part.indexOf("=");
    if (equals <= 0)
      throw malformed("an option without a value", "OPTION=VALUE, with & inside a value written %26");
    options.set(part.slice(0, equals), decode(part.slice(equals + 1)));
  }
  return { text, kind, target: colon < 0 ? "" : head.slice(colon + 1), options };
}

function parseWritten(written: Written): ProbeSpec {
  switch (written.kind) {
    case "tcp":
      return parseTcp(written);
    case "http":
    case "https":
      return parseHttp(written, written.kind);
    case "sql":
      return parseSql(written);
    case "screen":
      return parseScreen(written);
    case "guest":
      return parseGuest(written);
    default:
      throw malformed(
        `kind "${written.kind.slice(0, 20)}"`,
        "tcp, http, https, sql, screen or guest, as in tcp:5432",
      );
  }
}

function parseTcp({ target, options }: Written): TcpProbe {
  onlyOptions(options, ["text"]);
  return { kind: "tcp", port: portNumber(target), ...textOption(options), timeoutMs: timeoutMs(options) };
}

function parseHttp({ target, options }: Written, kind: "http" | "https"): HttpProbe {
  onlyOptions(options, ["path", "status", "text"]);
  const path = options.get("path") ?? "/";
  if (!/^\/[\x21-\x7e]*$/.test(path))
    throw malformed(`path "${path.slice(0, 80)}"`, "one that starts with / and has no spaces");
  const port = target === "" ? { http: 80, https: 443 }[kind] : portNumber(target);
  return {
    kind,
    port,
    path,
    status: whole(options.get("status") ?? "200", "status", 100, 599),
    ...textOption(options),
    timeoutMs: timeoutMs(options),
  };
}

function parseSql({ target, options }: Written): SqlProbe {
  onlyOptions(options, ["query", "expect"]);
  const match =
    /^(postgresql|postgres|mysql|mariadb|sqlserver|mssql):\/\/([^:@/]*)(?::([^@]*))?@(?:localhost|127\.0\.0\.1)?(?::(\d+))?\/([^/]*)$/.exec(
      target,
    );
  const query = options.get("query");
  if (match === null || query === undefined)
    throw malformed(
      "another form",
      "sql:postgresql://USER:PASSWORD@:PORT/DATABASE?query=QUERY&expect=ANSWER",
    );
  const engine = engineOf(match[1] ?? "");
  const expect = options.get("expect");
  const port = match[4] === undefined ? enginePorts[engine] : portNumber(match[4]);
  const account = {
    user: decode(match[2] ?? ""),
    password: decode(match[3] ?? ""),
    database: decode(match[5] ?? ""),
  };
  return {
    kind: "sql",
    engine,
    port,
    ...account,
    query,
    ...(expect === undefined ? {} : { expect }),
    timeoutMs: timeoutMs(options),
  };
}

function engineOf(scheme: string): SqlEngine {
  if (scheme.startsWith("postgres")) return "postgresql";
  return scheme === "mysql" || scheme === "mariadb" ? "mysql" : "sqlserver";
}

function parseScreen({ target, options }: Written): ScreenProbe {
  onlyOptions(options, ["text"]);
  return {
    kind: "screen",
    pattern: checkedPattern(options.get("text") ?? decode(target)),
    timeoutMs: timeoutMs(options),
  };
}

function parseGuest({ target, options }: Written): GuestProbe {
  onlyOptions(options, ["exit", "text"]);
  const [path = "", ...args] = decode(target)
    .split(" ")
    .filter((word) => word !== "");
  if (path === "")
    throw malformed(
      "no command",
      "guest:/path/of/program ARGUMENTS; arguments with spaces need the JSON form",
    );
  return {
    kind: "guest",
    path,
    args,
    exitCode: whole(options.get("exit") ?? "0", "exit", 0, 255),
    ...textOption(options),
    timeoutMs: timeoutMs(options),
  };
}

/** JSON is brought into the written form's rules: every field is checked, unknown ones are refused. */
function parseJsonProbe(text: string): ProbeSpec {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("broken JSON", 'an object as {"kind":"tcp","port":5432}');
  }
  const fields = new Map(Object.entries(value ?? {}).filter(([name]) => name !== "kind"));
  const kind = typeof value === "object" && value !== null && "kind" in value ? String(value.kind) : "";
  const take = (name: string, otherwise?: string): string => {
    const found = fields.get(name) ?? otherwise;
    fields.delete(name);
    if (typeof found === "string" || typeof found === "number") return String(found);
    throw malformed(`no "${name}" in JSON`, `a text or number in a probe of kind "${kind}"`);
  };
  const optional = (name: string): Record<string, string> => (fields.has(name) ? { [name]: take(name) } : {});
  const seconds = String(Number(take("timeoutMs", String(TIMEOUT_SECONDS * 1000))) / 1000);
  const shared = { timeoutMs: timeoutMs(new Map([["timeout", seconds]])) };
  const spec = ((): ProbeSpec => {
    switch (kind) {
      case "tcp":
        return { kind, port: portNumber(take("port")), ...optional("text"), ...shared };
      case "http":
      case "https":
        return {
          kind,
          port: portNumber(take("port")),
          path: take("path", "/"),
          status: whole(take("status", "200"), "status", 100, 599),
          ...optional("text"),
          ...shared,
        };
      case "sql": {
        const engine = engineOf(take("engine"));
        const account = { user: take("user"), password: take("password", ""), database: take("database") };
        return {
          kind,
          engine,
          port: portNumber(take("port", String(enginePorts[engine]))),
          ...account,
          query: take("query"),
          ...optional("expect"),
          ...shared,
        };
      }
      case "screen":
        return { kind, pattern: checkedPattern(take("pattern")), ...shared };
      case "guest": {
        const list = fields.get("args") ?? [];
        fields.delete("args");
        if (!Array.isArray(list)) throw malformed('"args" that is no list', "a list of texts");
        return {
          kind,
          path: take("path"),
          args: list.map(String),
          exitCode: whole(take("exitCode", "0"), "exitCode", 0, 255),
          ...optional("text"),
          ...shared,
        };
      }
      default:
        throw malformed(`kind "${kind.slice(0, 20)}"`, "tcp, http, https, sql, screen or guest");
    }
  })();
  if (fields.size > 0) throw malformed(`field "${[...fields.keys()][0]}"`, `only those of kind "${kind}"`);
  return spec;
}

function onlyOptions(options: Options, known: readonly string[]): void {
  const stranger = [...options.keys()].find((name) => name !== "timeout" && !known.includes(name));
  if (stranger !== undefined)
    throw malformed(`option "${stranger.slice(0, 40)}"`, [...known, "timeout"].join(", "));
}

function textOption(options: Options): { readonly text?: string } {
  const text = options.get("text");
  return text === undefined ? {} : { text };
}

function timeoutMs(options: Options): number {
  return (
    whole(options.get("timeout") ?? String(TIMEOUT_SECONDS), "timeout", 0.001, TIMEOUT_SECONDS_MAX, false) *
    1000
  );
}

function portNumber(text: string): number {
  return whole(text, "port", 1, 65_535);
}

function whole(text: string, what: string, least: number, most: number, integer = true): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= least && value <= most) || (integer && !Number.isInteger(value)))
    throw malformed(`${what} "${text.slice(0, 20)}"`, `${least} to ${most}`);
  return value;
}

function checkedPattern(pattern: string): string {
  if (pattern === "" || pattern.length > PATTERN_CHARS_MAX)
    throw malformed(`a pattern of ${pattern.length} characters`, `1 to ${PATTERN_CHARS_MAX}`);
  try {
    return new RegExp(pattern, "i").source;
  } catch {
    throw malformed("a pattern that is no regular expression", "one, as in screen?text=login:");
  }
}

/** A stray `%` stands for itself: SQL's LIKE is full of them. */
function decode(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}

function malformed(found: string, wanted: string): Error {
  return recoveryErrors.error("probe-malformed", `Cannot understand probe: found ${found}, wanted ${wanted}`);
}
