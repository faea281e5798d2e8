/** What can go wrong between an NBD server, its client and the files below them. */

import { defineErrors } from "@mainstay/kit";

export const nbdErrors = defineErrors("nbd", {
  "address-in-use": "The socket path or port to listen on is taken.",
  "path-too-long": "The path of a Unix socket is longer than the operating system takes.",
  "connect-failed": "The NBD server could not be reached.",
  "handshake-refused": "The NBD server does not give this export, or not on these terms.",
  "protocol-violation": "The other side sent what the NBD protocol forbids; the connection was dropped.",
  disconnected: "The NBD connection ended while an answer was awaited.",
  "server-error": "The NBD server answered a request with an error.",
  "request-invalid": "A request lies outside the device, or is not aligned as its server demands.",
  "context-missing": "A metadata context (such as a dirty bitmap) was not granted by the server.",
  "read-only": "A write was asked of a device that is read-only.",
  "file-unusable": "A file or block device could not be opened as a disk.",
  "file-truncated": "A file became shorter while it was read as a disk.",
  "map-failed": "The map of data and holes of a file could not be made.",
});
