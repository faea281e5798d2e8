/** The one client of the console: the contract's, on this page's own origin. */

import { createClient } from "@mainstay/contract";

export const api = createClient({ baseUrl: "", fetch: (url, init) => fetch(url, init) });
