/** Texts typed as ports → port numbers, each once; `undefined` when one of them is none or they are too many. */

const PORTS_MAX = 16;

export function parsePorts(texts: readonly string[]): readonly number[] | undefined {
  const ports = new Set(texts.map((text) => (/^\d{1,5}$/.test(text.trim()) ? Number(text) : 0)));
  if (ports.size > PORTS_MAX) return undefined;
  return [...ports].every((port) => port >= 1 && port <= 65_535) ? [...ports] : undefined;
}
