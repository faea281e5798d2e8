/** Every failure of the vault that a caller can act on. */

import { defineErrors } from "@mainstay/kit";

export const vaultErrors = defineErrors("vault", {
  "file-missing": "A file of the repository is not there",
  "file-truncated": "A file of the repository is shorter than its content needs",
  "file-exists": "A different file of that name is already stored",
  "backend-unreachable": "The place where the repository lies does not answer; trying again may help",
  "backend-full": "There is no room left where the repository lies",
  "backend-refused": "The place where the repository lies refuses the request",
  "polynomial-invalid": "The chunker polynomial of a repository is not usable",
  "location-invalid":
    "What was given as the place of a repository is neither a folder nor the address of a REST server",
  "damaged-file": "A config, snapshot, index or lock of the repository cannot be read",
  "damaged-pack": "A pack of the repository cannot be read",
  "damaged-blob": "A blob of the repository is not what its id says",
  "missing-blob": "The index of the repository does not know a blob that is needed",
  "damaged-tree": "A directory in the repository cannot be read",
  "foreign-version": "The repository has a format version that this program does not know",
  "not-a-repository": "There is no repository at that place",
  "already-a-repository": "There is a repository at that place already",
  "wrong-password": "The password opens none of the repository's keys",
  locked: "Another program holds a lock that forbids this",
  "lock-lost": "The lock under which the work was done was removed meanwhile",
  "no-such-point": "No restore point has that name",
  "ambiguous-point": "More than one restore point begins with that name",
  "no-such-path": "The restore point has no such file",
  "not-an-image": "The restore point is not a disk image",
  "plan-outdated": "The repository changed after the plan was made",
  "prune-refused": "Something that restore points need is missing, so nothing may be removed",
  "replica-foreign": "The replica does not share the secrets of the repository",
  "target-refused": "The target of a restore is not usable",
  "target-full": "The target of a restore has not enough room",
  "span-invalid": "A span of time in a retention policy cannot be read",
});
