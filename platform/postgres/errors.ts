/** What can go wrong with the embedded PostgreSQL and its data folder. */

import { defineErrors } from "@mainstay/kit";

export const postgresErrors = defineErrors("postgres", {
  "no-program": "No PostgreSQL program for this machine was found",
  "no-user": "PostgreSQL refuses to run as root, and no other user was found for it",
  "no-entry": "The user that PostgreSQL runs as cannot enter the data folder",
  "init-failed": "A new PostgreSQL data folder could not be made",
  "start-failed": "PostgreSQL ended or did not become ready; its log has the reason",
});

export const folderErrors = defineErrors("folder", {
  "in-use": "Another Mainstay runs on this data folder",
});
