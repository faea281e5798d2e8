/** How a person names a disk or file of a restore point: `POINT`, `POINT:DISK`, `POINT:/path/in/it`. */

export type PointName = { readonly point: string; readonly path?: string | undefined };

export function parsePointName(text: string): PointName {
  const colon = text.indexOf(":");
  if (colon === -1) return { point: text };
  const path = text.slice(colon + 1);
  return { point: text.slice(0, colon), path: path === "" ? undefined : path };
}
