/** What both commands of the agent need to know. */

import { readFile } from "node:fs/promises";

export const AGENT_DATA_FOLDER = "/var/lib/mainstay-agent";

/** As the server shows it. */
export async function agentVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const isNamed = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isNamed ? String(manifest.version) : "unknown";
}
