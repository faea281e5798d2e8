/** The `config` file: which version the repository has, and the polynomial its files are cut with. */

import { vaultErrors } from "../errors.ts";
import type { RepositoryVersion } from "./envelope.ts";

export type RepositoryConfig = {
  readonly version: RepositoryVersion;
  /** 64 hexadecimal digits, chosen at random. */
  readonly id: string;
  /** Irreducible polynomial of degree 53 over GF(2), as a bit set. */
  readonly polynomial: bigint;
};

export function configToJson(config: RepositoryConfig): unknown {
  return { version: config.version, id: config.id, chunker_polynomial: config.polynomial.toString(16) };
}

/** Errors: `vault.foreign-version` for a version newer than this program, `vault.damaged-file` for anything else unlike a config. */
export function configFromJson(json: unknown, location: string): RepositoryConfig {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field is checked below
  const { version, id, chunker_polynomial: polynomial } = (json ?? {}) as Record<string, unknown>;
  if (version !== 1 && version !== 2) {
    throw vaultErrors.error(
      "foreign-version",
      `Cannot open repository ${location}: it has format version ${String(version)}, wanted 1 or 2; use a newer Mainstay or the restic client that made it`,
      { values: { version } },
    );
  }
  if (typeof id !== "string" || typeof polynomial !== "string" || !/^[0-9a-f]{1,16}$/.test(polynomial)) {
    throw vaultErrors.error(
      "damaged-file",
      `Cannot read config of ${location}: id or chunker polynomial is missing`,
    );
  }
  return { version, id, polynomial: BigInt(`0x${polynomial}`) };
}
