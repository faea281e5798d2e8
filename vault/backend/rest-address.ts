/** The address of a repository on a REST server, `rest:http://user:password@host:port/path/`, and who may ask there. */

import { vaultErrors } from "../errors.ts";

export type RestCredentials = { readonly user: string; readonly password: string };

export type RestAddress = {
  /** Ends with a slash and holds no credentials. */
  readonly url: URL;
  readonly credentials?: RestCredentials | undefined;
};

/** Reads what follows `rest:`. `vault.location-invalid` if it is no address; its message never shows the password. */
export function parseRestAddress(text: string): RestAddress {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw invalid(text, "found no http or https address");
  }
  if (url.search !== "" || url.hash !== "") throw invalid(text, "found a query or fragment in the address");
  const credentials = credentialsOf(url, text);
  url.username = "";
  url.password = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return credentials === undefined ? { url } : { url, credentials };
}

function credentialsOf(url: URL, text: string): RestCredentials | undefined {
  if (url.username === "" && url.password === "") return undefined;
  try {
    return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    throw invalid(text, "found a broken percent sign in the user or password");
  }
}

function invalid(text: string, found: string): Error {
  const shown = `rest:${withoutCredentials(text)}`;
  return vaultErrors.error(
    "location-invalid",
    `Cannot use ${shown}: ${found}, wanted rest:http://HOST[:PORT]/PATH/ or rest:https://…; correct the address`,
    { values: { location: shown } },
  );
}

/** Takes away everything up to the last @, also where the text is no valid address. */
function withoutCredentials(text: string): string {
  const at = text.lastIndexOf("@");
  return at < 0 ? text : `…${text.slice(at)}`;
}
