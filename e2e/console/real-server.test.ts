/** The console on the real server: from the one-time set-up link to a customer with an enrolment token. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildConsole } from "@mainstay/console";
import { startServer } from "@mainstay/server";
import { expect, it } from "vitest";
import { isTooWide, launchBrowser, openContext, openPage } from "./browser.ts";

const PAGES = [
  "/",
  "/customers",
  "/recovery-sessions",
  "/evidence",
  "/vaults",
  "/plans",
  "/settings/users",
  "/settings/account",
  "/audit",
];

it(
  "sets up, adds a customer and a site, makes a token, and opens every page",
  { timeout: 240_000 },
  async () => {
    const { directory } = await buildConsole();
    const dataDirectory = await mkdtemp(join(tmpdir(), "mainstay-console-"));
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(dataDirectory, { recursive: true, force: true }));
    const server = await startServer({
      dataDirectory,
      listen: { host: "127.0.0.1", port: 0 },
      consoleFolder: directory,
      durability: "off",
      log: () => undefined,
    });
    cleanup.defer(() => server.stop());
    const browser = await launchBrowser();
    cleanup.defer(() => browser.close());
    const context = await openContext(browser, { width: 1440, scheme: "light" });
    const { page, complaints } = await openPage(context);

    await page.goto(server.setUpLink ?? "");
    await page.getByLabel("Your company").fill("Example Provider");
    await page.getByLabel("Your name").fill("Owner");
    await page.getByLabel("E-mail").fill("owner@provider.example");
    await page.getByLabel("Password", { exact: true }).fill("gravel-tuba-hollow-9-kite");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("Six digits from the app").waitFor();
    await page.getByRole("button", { name: /Not now/ }).click();
    await page.getByRole("link", { name: "Add the first customer" }).click();
    await page.getByRole("button", { name: "Add customer" }).first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Northgate Dental");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Northgate Dental" }).waitFor();
    await page.getByRole("button", { name: "Add site" }).first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Head office");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "Europe/Vienna" }).waitFor();
    await page.getByRole("button", { name: "Enrol devices" }).first().click();
    await page.getByRole("button", { name: "Make token" }).click();
    await page
      .getByRole("dialog")
      .getByText(/^mst1\./)
      .waitFor();
    await page.getByRole("button", { name: "Close" }).last().click();

    for (const path of PAGES) {
      await page.goto(server.address + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      expect(await isTooWide(page), path).toBe(false);
    }
    await page.getByText("Live", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  },
);
