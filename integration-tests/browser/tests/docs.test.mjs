// The documentation is readable in the dashboard, on any screen, with nothing but the server.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { faults } from "../axe.mjs";
import { Server, blameless, closeBrowser, scene, settled, visit } from "../harness.mjs";

after(closeBrowser);

/** The body, with a page at the documentation of a server that asks for a token. */
async function reader(options, body) {
  const server = await Server.start({ token: "s3cret" });
  try {
    const page = await visit(server, "/docs", options);
    await body({ server, page });
    blameless(page);
    await page.context().close();
  } finally {
    await server.end();
  }
}

const everyPage = (page) =>
  page.locator("main li a").evaluateAll((links) => ["/docs", ...links.map((link) => link.pathname)]);

test("the dashboard leads to the documentation, whose links lead on and back", () =>
  scene({}, async ({ page }) => {
    await page.locator(".nav a", { hasText: "Documentation" }).click();
    await page.getByRole("heading", { level: 1, name: "Documentation" }).waitFor();
    await page.locator("main a", { hasText: "Getting started" }).click();
    await page.getByRole("heading", { level: 1, name: "Getting started" }).waitFor();
    await page.locator("main p a", { hasText: "deployment.md" }).click();
    await page.getByRole("heading", { level: 1, name: "Deployment" }).waitFor();
    assert.equal(await page.locator(".contents [aria-current=page]").innerText(), "Deployment");
    await page.goBack();
    await page.locator(".sections a", { hasText: "Shared state" }).click();
    assert.equal(new URL(page.url()).hash, "#shared-state");
    await page.locator(".steps .after").click();
    await page.getByRole("heading", { level: 1, name: "Configuration" }).waitFor();
    await page.locator(".to-dashboard").click();
    await settled(page);
  }));

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["a phone in light", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
]) {
  test(`no serious fault and nothing too wide on any page of the documentation, in ${name}`, () =>
    reader({ ...options, reducedMotion: "reduce", bypassCSP: true }, async ({ server, page }) => {
      const found = {};
      const pages = await everyPage(page);
      assert.ok(pages.length > 30, `only ${pages.length} pages`);
      for (const path of pages) {
        await page.goto(server.dashboard + path);
        const list = await faults(page);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (overflow > 0) list.push(`${overflow} px too wide`);
        if (list.length) found[path] = list;
      }
      await page.getByRole("searchbox").fill("version");
      await page.locator(".found a").first().waitFor();
      assert.deepEqual(await faults(page), []);
      assert.deepEqual(found, {});
    }));
}

test("every picture of the documentation is shown", () =>
  reader({}, async ({ server, page }) => {
    let pictures = 0;
    for (const path of await everyPage(page)) {
      await page.goto(server.dashboard + path);
      const widths = await page.locator("main img").evaluateAll((images) => images.map((image) => image.naturalWidth));
      assert.ok(
        widths.every((width) => width > 0),
        path,
      );
      pictures += widths.length;
    }
    assert.ok(pictures >= 8, `only ${pictures} pictures`);
  }));

test("a search finds sections by all of its words, and is done by keyboard", () =>
  reader({}, async ({ page }) => {
    await page.keyboard.press("/");
    await page.keyboard.type("allow-host nothing-like-it");
    await page.getByText("Nothing has all of these words.").waitFor();
    await page.getByRole("searchbox").fill("STATE  rollback");
    await page.locator(".found a").first().waitFor();
    assert.equal(await page.locator(".found b").first().innerText(), "koor state rollback");
    assert.match(await page.locator(".search [role=status]").innerText(), /^[0-9]+ sections? found$/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/docs/cli-reference#koor-state-rollback");
    await page.keyboard.press("/");
    await page.keyboard.type("<img src=x onerror=alert(1)>");
    await page.getByText("Nothing has all of these words.").waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".found").isVisible(), false);
  }));

test("without JavaScript the documentation can be read all the same", () =>
  reader({ javaScriptEnabled: false }, async ({ page }) => {
    assert.equal(await page.getByRole("searchbox").count(), 0);
    await page.locator("main a", { hasText: "Events" }).first().click();
    await page.getByRole("heading", { level: 1, name: "Events" }).waitFor();
  }));
