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
  const initrd = initrds[0] === undefined ? undefined : resolveVariables(initrds[0], config);
  const [kernel, commandLine] = [resolveVariables(linux[1] ?? "", config), (linux[2] ?? "").trim()];
  if (`${kernel} ${commandLine} ${initrd ?? ""}`.includes("$"))
    return unclear("the entry's lines hold variables of GRUB");
  if (initrds.length > 1) return unclear("the entry has several initial RAM disks");
  return { state: "found", entry: { kernel, initrd, commandLine } };
}

/**
 * Variables in file names that the configuration sets to a plain word outside of any condition. What a condition would
 * set instead is GRUB's choice among kernels that all start this system; the unconditional one suits any hardware.
 */
function resolveVariables(text: string, config: string): string {
  return text.replaceAll(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => {
      const values = [...config.matchAll(/^set (\w+)="?([\w.-]+)"?$/gm)].filter(
        (match) => match[1] === (braced ?? bare),
      );
      return values.length === 1 ? (values[0]?.[2] ?? whole) : whole;
    },
  );
}

function unclear(reason: string): ReadConfig {
  return { state: "unclear", reason };
}
