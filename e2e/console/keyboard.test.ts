/** From sign-in to a running machine with the keyboard alone. */

import { buildConsole } from "@mainstay/console";
import { startFixtureServer } from "@mainstay/console/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchBrowser, openContext, openPage } from "./browser.ts";

/** No way on a page is longer than this many presses of Tab. */
const TABS_MAX = 60;

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

type Focused = { readonly name: string; readonly visible: boolean };

const FOCUSED = `(() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const label = element.getAttribute("aria-label") ?? element.innerText ?? "";
  return { name: label.trim(), visible: style.outlineStyle !== "none" || style.boxShadow !== "none" || element.tagName === "INPUT" };
})()`;

/** Presses Tab until what is named has the focus; on the way every stop must be visible. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < TABS_MAX; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate<Focused>(FOCUSED);
    expect(focused.visible, `the focus on "${focused.name}" cannot be seen`).toBe(true);
    if (name.test(focused.name)) return;
    seen.push(focused.name);
  }
  throw new Error(`Cannot reach ${String(name)} by Tab; came by ${seen.join(" | ")}`);
}

it("signs in, finds the device, runs its newest restore point", { timeout: 120_000 }, async () => {
  const { directory } = await buildConsole();
  await using server = await startFixtureServer({ directory, signedIn: false });
  const context = await openContext(browser, { width: 1440, scheme: "light" });
  const { page } = await openPage(context);
  await page.goto(server.address);
  await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();

  await page.keyboard.type("owner@provider.example");
  await page.keyboard.press("Tab");
  await page.keyboard.type("a password");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "One-time code" }).waitFor();
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();

  await tabTo(page, /^SRV-SQL1$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "SRV-SQL1" }).waitFor();

  await tabTo(page, /^Run newest restore point$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("What happens").waitFor();
  await tabTo(page, /^Run it now$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Recovery of SRV-SQL1" }).waitFor();
  await context.close();
});

it("opens the command palette by Ctrl-K and goes to a device by its name", { timeout: 60_000 }, async () => {
  const { directory } = await buildConsole();
  await using server = await startFixtureServer({ directory });
  const context = await openContext(browser, { width: 1440, scheme: "dark" });
  const { page, complaints } = await openPage(context);
  await page.goto(server.address);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Find a page, customer or device").waitFor();
  await page.keyboard.type("files");
  await page.locator("[data-selected]", { hasText: "SRV-FILES" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "SRV-FILES" }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

it("skips to the content with the first press of Tab", { timeout: 60_000 }, async () => {
  const { directory } = await buildConsole();
  await using server = await startFixtureServer({ directory });
  const context = await openContext(browser, { width: 1440, scheme: "light" });
  const page = await context.newPage();
  await page.goto(server.address);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.keyboard.press("Tab");
  expect((await page.evaluate<Focused>(FOCUSED)).name).toBe("Skip to content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate<string>("document.activeElement.id")).toBe("main");
  await context.close();
});
