/** One Mainstay of the demo: its server as a process, and a client signed in as its owner. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createClient, type Client, type Fetch } from "@mainstay/contract";
import { must } from "@mainstay/kit";
import { fetchOver } from "@mainstay/platform";
import { adminSignInLink, readRunningFile } from "@mainstay/server";
import { createPinnedAgent } from "@mainstay/vault";
import { startProgram } from "./programs.ts";

export type SiteOptions = { readonly name: string; readonly folder: string; readonly port: number };

export type Site = AsyncDisposable & {
  readonly name: string;
  readonly address: string;
  readonly client: Client;
  /** A fresh one-time link to the console. */
  readonly signInLink: () => Promise<string>;
};

const CONNECTIONS_MAX = 4;
const OWNER_EMAIL = "owner@demo.invalid";

export async function startSite({ name, folder, port }: SiteOptions): Promise<Site> {
  const dataFolder = join(folder, "data");
  const words = ["up", "--json", "--data", dataFolder, "--listen", `127.0.0.1:${port}`, "--name", name];
  await using stack = new AsyncDisposableStack();
  const program = stack.use(startProgram(words, join(folder, "server.log")));
  // What `up --json` prints, see there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { address, setUpLink } = JSON.parse(await program.firstLine) as {
    address: string;
    setUpLink?: string;
  };
  const { certificateSha256 } = must(await readRunningFile(dataFolder), "a server that listens says where");
  const trust = { kind: "pinned", of: "certificate", sha256: certificateSha256 } as const;
  const agent = createPinnedAgent(new URL(address), trust, CONNECTIONS_MAX);
  stack.defer(async () => agent.destroy());
  const client = createClient({ baseUrl: address, fetch: withCookies(fetchOver(agent)) });
  await client.setUp.complete({
    body: {
      token: new URL(must(setUpLink, "a fresh data folder has no owner")).hash.slice(1),
      providerName: name,
      email: OWNER_EMAIL,
      name: "Demo owner",
      // Nobody needs to know it: the console is entered by one-time links.
      password: randomBytes(24).toString("base64url"),
    },
  });
  const held = stack.move();
  return {
    name,
    address,
    client,
    signInLink: () => adminSignInLink(dataFolder),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Keeps the session's cookie, as a browser would. */
function withCookies(fetch: Fetch): Fetch {
  let cookie: string | undefined;
  return async (url, init) => {
    const headers = new Headers(init.headers);
    if (cookie !== undefined) headers.set("cookie", cookie);
    const response = await fetch(url, { ...init, headers });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return response;
  };
}
