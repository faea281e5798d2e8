import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIB } from "@mainstay/kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectSocket } from "./connect-socket.ts";
import { qemuErrors } from "./errors.ts";
import { guestAgentOver, type GuestAgent } from "./guest-agent.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mainstay-agent-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const program = "/usr/sbin/qemu-ga";

/** The real agent, here on the host instead of inside a guest. It must never be asked to freeze anything. */
describe("guestAgentOver the real agent", () => {
  let child: ChildProcess;
  let agent: GuestAgent;

  beforeAll(async () => {
    const path = join(directory, "agent.sock");
    const forbidden = "guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-shutdown,guest-set-time";
    child = spawn(
      "setpriv",
      [
        "--pdeathsig",
        "KILL",
        "--",
        program,
        "-m",
        "unix-listen",
        "-p",
        path,
        "-t",
        directory,
        "-f",
        join(directory, "pid"),
        "-b",
        forbidden,
      ],
      { stdio: "ignore" },
    );
    agent = guestAgentOver(await connectSocket(path, { timeoutMs: 30_000 }));
  });
  afterAll(() => {
    agent.close();
    child.kill();
  });

  test("answers a ping and tells its version and commands", async () => {
    await agent.ping({ timeoutMs: 30_000 });
    const info = await agent.info();
    expect(info.version).toMatch(/^\d+\.\d+/);
    expect(info.commands).toContain("guest-exec");
    expect(info.commands).not.toContain("guest-fsfreeze-freeze");
  });

  test("runs commands with both outputs and the exit code, many asked at once", async () => {
    const results = await Promise.all(
      [1, 2, 3].map((code) => agent.run("/bin/sh", ["-c", `echo out; echo err >&2; exit ${code}`])),
    );
    expect(results).toEqual(
      [1, 2, 3].map((exitCode) => ({ exitCode, output: "out\n", errorOutput: "err\n" })),
    );
  });

  test("types its refusals, and a forbidden freeze is one", async () => {
    await expect(agent.run("/no/such/program", [])).rejects.toSatisfy((cause) =>
      qemuErrors.is(cause, "agent-failed"),
    );
    await expect(agent.freeze()).rejects.toSatisfy((cause) => qemuErrors.is(cause, "agent-failed"));
  });

  test("stays in step after a command that took too long", async () => {
    await expect(agent.run("/bin/sleep", ["5"], { timeoutMs: 100 })).rejects.toSatisfy((cause) =>
      qemuErrors.is(cause, "timed-out"),
    );
    expect((await agent.run("/bin/echo", ["still here"])).output).toBe("still here\n");
  });
});

describe("guestAgentOver a hostile guest", () => {
  test.each([
    ["silence", "", "timed-out"],
    ["garbage", "{]\n", "protocol-broken"],
    ["endless text", "x".repeat(25 * MIB), "protocol-broken"],
    ["answers to other questions", '{"return":{}}\n{"return":1}\n', "timed-out"],
  ] as const)("is not taken in by %s", async (name, sent, code) => {
    const path = join(directory, `${name.length}.sock`);
    const server = createServer((socket) =>
      socket.on("error", () => {}).write(sent === "" ? "\n" : sent),
    ).listen(path);
    await new Promise((resolve) => server.once("listening", resolve));
    const agent = guestAgentOver(await connectSocket(path, { timeoutMs: 30_000 }));
    // Only what waits in vain is cut short: a busy machine takes seconds to read megabytes.
    const timeoutMs = code === "timed-out" ? 300 : 30_000;
    await expect(agent.ping({ timeoutMs })).rejects.toSatisfy(
      (cause) => qemuErrors.is(cause, code) || qemuErrors.is(cause, "closed"),
    );
    agent.close();
    server.close();
  });
});
