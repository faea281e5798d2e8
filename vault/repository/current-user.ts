/** Who runs this program, as locks, keys and restore points name them. */

import { userInfo } from "node:os";

export type CurrentUser = { readonly name: string; readonly uid: number; readonly gid: number };

/** In a container the number may have no name, which is no reason not to back up. */
export function currentUser(): CurrentUser {
  try {
    const { username, uid, gid } = userInfo();
    // Windows has no numbers and says -1.
    return { name: username, uid: Math.max(0, uid), gid: Math.max(0, gid) };
  } catch {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    return { name: String(uid), uid, gid };
  }
}
