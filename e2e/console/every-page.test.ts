/** Every page of the console opens in a real browser: full and empty, wide and narrow, light and dark, without complaint. */

import { buildConsole } from "@mainstay/console";
import { startFixtureServer, type FixtureServer } from "@mainstay/console/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isTooWide, launchBrowser, LOOKS, openContext, openPage, type Look } from "./browser.ts";

const id = (n: number) => `019a0000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

const PAGES: readonly (readonly [path: string, heading: string])[] = [
  ["/", "Overview"],
  ["/customers", "Customers"],
  [`/customers/${id(100)}`, "Northgate Dental"],
  [`/devices/${id(300)}`, "SRV-SQL1"],
  [`/devices/${id(304)}`, "SRV-KILN"],
  ["/recovery-sessions", "Recovery sessions"],
  [`/recovery-sessions/${id(701)}`, "Recovery of SRV-FILES"],
  [`/restore-tests/${id(602)}`, "Restore test of SRV-SQL1"],
  ["/evidence", "Evidence"],
  ["/vaults", "Vaults"],
  ["/plans", "Protection plans"],
  ["/settings/users", "Users"],
  ["/settings/account", "Your account"],
  ["/audit", "Audit"],
];

const ENTRANCE: readonly (readonly [path: string, heading: string])[] = [
  ["/sign-in", "Sign in"],
  [`/sign-in/link#${"x".repeat(40)}`, "Sign in with a link"],
  [`/setup#${"x".repeat(40)}`, "Set up Mainstay"],
];

let browser: Browser;
let full: FixtureServer;
let empty: FixtureServer;
let fresh: FixtureServer;

beforeAll(async () => {
  const { directory } = await buildConsole();
  browser = await launchBrowser();
  full = await startFixtureServer({ directory });
  empty = await startFixtureServer({ directory, content: "empty" });
  fresh = await startFixtureServer({ directory, content: "empty", signedIn: false });
});

afterAll(async () => {
  await browser?.close();
  for (const server of [full, empty, fresh]) await server?.[Symbol.asyncDispose]();
});

async function visit(server: FixtureServer, pages: typeof PAGES, look: Look): Promise<void> {
  const context = await openContext(browser, look);
  for (const [path, heading] of pages) {
    const { page, complaints } = await openPage(context);
    await page.goto(server.address + path);
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
    expect(await page.getByRole("main").count(), path).toBe(1);
    expect(await isTooWide(page), `${path} is wider than ${look.width} px`).toBe(false);
    expect(complaints, path).toEqual([]);
    await page.close();
  }
  await context.close();
}

describe.each(LOOKS)("at $width px, $scheme", (look) => {
  it("every page opens without complaint", () => visit(full, PAGES, look), 120_000);
  it("the pages before sign-in open without complaint", () => visit(fresh, ENTRANCE, look), 60_000);
});

it.each([
  { width: 1440, scheme: "dark" },
  { width: 390, scheme: "light" },
] as const)("every page without content opens at $width px", (look) => visit(empty, PAGES, look), 120_000);

it("says so when a device does not exist, with a way out", async () => {
  const context = await openContext(browser, { width: 1440, scheme: "light" });
  const page = await context.newPage();
  await page.goto(`${full.address}/devices/${id(9999)}`);
  await page.getByRole("alert").getByText("Not found").waitFor();
  await page.getByRole("link", { name: "To the overview" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await context.close();
});

it("leads to the sign-in page and from there back to where one wanted to go", async () => {
  const { directory } = await buildConsole();
  await using server = await startFixtureServer({ directory, signedIn: false });
  const context = await openContext(browser, { width: 1440, scheme: "light" });
  const page = await context.newPage();
  await page.goto(`${server.address}/vaults`);
  await page.waitForURL(/\/sign-in\?next=/);
  await page.getByLabel("E-mail").fill("owner@provider.example");
  await page.getByLabel("Password", { exact: true }).fill("a password");
  await page.keyboard.press("Enter");
  await page.getByLabel("Code").fill("123456");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Vaults" }).waitFor();
  await context.close();
});

it("shows a read-only user nothing that changes something", async () => {
  const { directory } = await buildConsole();
  await using server = await startFixtureServer({ directory, role: "read-only" });
  const context = await openContext(browser, { width: 1440, scheme: "light" });
  const page = await context.newPage();
  await page.goto(`${server.address}/devices/${id(300)}`);
  await page.getByRole("heading", { level: 1, name: "SRV-SQL1" }).waitFor();
  expect(
    await page.getByRole("button", { name: /Back up now|Test now|Run (this|newest)|Stop|Add a/ }).count(),
  ).toBe(0);
  await context.close();
});
