/** What tests and people at work on the console may use: the fixture server. */

export { startFixtureServer, type FixtureServer, type FixtureServerOptions } from "./fixture-server.ts";
