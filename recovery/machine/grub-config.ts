/** What GRUB would start by itself, read out of its generated configuration without running it. */

export type BootEntry = {
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly commandLine: string;
};
export type ReadConfig =
  | { readonly state: "found"; readonly entry: BootEntry }
  | { readonly state: "unclear"; readonly reason: string };

const CONFIG_CHARS_MAX = 1024 * 1024;

/**
 * The first entry's kernel, initial RAM disk and command line. Unclear wherever the choice or the line depends on what
 * only GRUB knows: a saved choice, another default, a variable in the line.
 */
export function readGrubConfig(config: string, environment: string): ReadConfig {
  if (config.length > CONFIG_CHARS_MAX) return unclear("grub.cfg is too large");
  const chosen = /^(?:next_entry|saved_entry)=(.+)$/m.exec(environment)?.[1]?.trim();
  if (chosen !== undefined && chosen !== "" && chosen !== "0")
    return unclear(`GRUB remembers another choice, "${chosen.slice(0, 60)}"`);
  const defaults = [...config.matchAll(/^\s*set default="?([^"\n]*)"?\s*$/gm)].map((match) => match[1] ?? "");
  const other = defaults.find((value) => value !== "0" && !value.startsWith("${"));
  if (other !== undefined) return unclear(`the default entry is "${other.slice(0, 60)}"`);
  const linux = /^\s*linux(?:16|efi)?\s+(\S+)[ \t]*(.*)$/m.exec(config);
  if (linux === null) return unclear("no entry starts a Linux kernel");
  const rest = config.slice(linux.index + linux[0].length);
  const body = rest.slice(0, /^\s*(?:linux(?:16|efi)?\s|menuentry\s)/m.exec(rest)?.index ?? rest.length);
  const initrds = (/^\s*initrd(?:16|efi)?\s+(.+)$/m.exec(body)?.[1] ?? "")
    .trim()
    .split(/\s+/)
    .filter((part) => part !== "");
  const [kernel, commandLine] = [linux[1] ?? "", (linux[2] ?? "").trim()];
  if (`${kernel} ${commandLine} ${initrds.join(" ")}`.includes("$"))
    return unclear("the entry's lines hold variables of GRUB");
  if (initrds.length > 1) return unclear("the entry has several initial RAM disks");
  return { state: "found", entry: { kernel, initrd: initrds[0], commandLine } };
}

function unclear(reason: string): ReadConfig {
  return { state: "unclear", reason };
}
