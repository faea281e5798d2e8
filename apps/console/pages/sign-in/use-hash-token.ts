/** The one-time token after `#` of the address: read once, then taken out of the address bar and the history. */

import { useEffect, useState } from "react";

export function useHashToken(): string | null {
  const [token] = useState(() =>
    location.hash.length > 1 ? decodeURIComponent(location.hash.slice(1)) : null,
  );
  useEffect(() => {
    if (token !== null) history.replaceState(history.state, "", location.pathname + location.search);
  }, [token]);
  return token;
}
