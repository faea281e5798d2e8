/** What can go wrong with the database as a whole. */

import { defineErrors } from "@mainstay/kit";

export const databaseErrors = defineErrors("database", {
  unreachable: "The database does not answer",
  "migration-changed": "A migration that was applied has another text now",
  "migration-unknown": "The database has migrations that this version does not know",
  "migration-failed": "A migration did not go through",
});
