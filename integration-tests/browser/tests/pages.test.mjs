// Every page has an address of its own, and the browser's buttons work.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { PAGES, blameless, closeBrowser, scene, settled, visit } from "../harness.mjs";

after(closeBrowser);

test("every page opens by its address and by its link, empty as the server is", () =>
  scene({}, async ({ server, page }) => {
    for (const [path, heading] of PAGES) {
      await page.goto(server.dashboard + path);
      await settled(page);
      assert.equal(await page.locator("h1").innerText(), heading, path);
      assert.match(await page.title(), /· Koor$/, path);
      assert.equal(await page.locator(".nav [aria-current=page]").getAttribute("href"), path);
    }
    for (const [path, heading] of PAGES) {
      await page.locator(`.nav a[href="${path}"]`).click();
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      assert.equal(new URL(page.url()).pathname, path);
    }
  }));

test("back and forward lead through pages and keys", () =>
  scene(
    {
      before: async (server) => {
        await server.call("PUT", "/api/state/a/one", { n: 1 });
        await server.call("PUT", "/api/state/a/two", { n: 2 });
      },
    },
    async ({ page }) => {
      await page.locator('.nav a[href="/state"]').click();
      await page.getByRole("treeitem", { name: "one" }).click();
      await page.locator(".key-name", { hasText: "one" }).waitFor();
      await page.getByRole("treeitem", { name: "two" }).click();
      await page.locator(".key-name", { hasText: "two" }).waitFor();
      await page.goBack();
      await page.locator(".key-name", { hasText: "one" }).waitFor();
      assert.equal(new URL(page.url()).pathname, "/state/a/one");
      await page.goBack();
      await page.goBack();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await page.goForward();
      await page.goForward();
      await page.goForward();
      await page.locator(".key-name", { hasText: "two" }).waitFor();
    },
  ));

test("an address that leads nowhere is an error in JSON, and says so in the page", () =>
  scene({}, async ({ server, page }) => {
    for (const path of ["/nope", "/api/nope", "/js/nope.js"]) {
      const answer = await fetch(server.dashboard + path);
      assert.equal(answer.status, 404);
      assert.equal((await answer.json()).code, 404);
    }
    await page.evaluate(() => history.pushState(null, "", "/nope"));
    await page.evaluate(() => dispatchEvent(new PopStateEvent("popstate")));
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  }));

test("the theme follows the system until one is chosen, and the choice stays", () =>
  scene({ colorScheme: "dark" }, async ({ page }) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.getByRole("button", { name: "Theme: system" }).click();
    const light = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    await settled(page);
    assert.equal(await ground(), light);
    await page.getByRole("button", { name: "Theme: Light" }).click();
    assert.equal(await ground(), dark);
  }));

test("on a phone the navigation opens, leads on and closes", () =>
  scene({ viewport: { width: 360, height: 740 } }, async ({ server, page }) => {
    await page.getByRole("button", { name: "Navigation" }).click();
    await page.locator('.nav a[href="/audit"]').click();
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    assert.equal(await page.locator(".nav-open").count(), 0);
    for (const [path] of PAGES) {
      await page.goto(server.dashboard + path);
      await settled(page);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${path} is ${overflow} px too wide`);
    }
  }));

test("nothing but static files is served without the token", () =>
  scene({ server: { token: "s3cret" }, forgive: /401/ }, async ({ server, page }) => {
    await page.getByLabel("Server token").waitFor();
    for (const path of [
      "/api/state",
      "/api/instances",
      "/api/events/history",
      "/api/metrics",
      "/api/openapi.json",
      "/metrics",
    ]) {
      assert.equal((await fetch(server.dashboard + path)).status, 401, path);
    }
    assert.equal((await fetch(`${server.dashboard}/js/main.js`)).status, 200);
  }));

test("a wrong token is refused, the right one stays in this tab until signing out", () =>
  scene({ server: { token: "s3cret" }, forgive: /401/ }, async ({ server, page }) => {
    await page.getByLabel("Server token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The server does not know this token.").waitFor();
    await page.getByLabel("Server token").fill("s3cret");
    await page.keyboard.press("Enter");
    await settled(page);
    assert.deepEqual(
      await page.evaluate(() => [
        sessionStorage.length,
        Object.keys(localStorage).filter((name) => name !== "koor-theme").length,
        document.cookie,
      ]),
      [1, 0, ""],
    );
    await page.reload();
    await settled(page);
    const other = await visit(server, "/", { forgive: /401/ });
    await other.getByLabel("Server token").waitFor();
    blameless(other);
    await other.context().close();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Server token").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  }));

test("a file is asked for again with its tag, and sent packed", () =>
  scene({}, async ({ server }) => {
    const first = await fetch(`${server.dashboard}/js/main.js`, { headers: { "Accept-Encoding": "gzip" } });
    assert.equal(first.headers.get("content-encoding"), "gzip");
    assert.match(first.headers.get("content-security-policy"), /default-src 'none'.*trusted-types 'none'/);
    const again = await fetch(`${server.dashboard}/js/main.js`, {
      headers: { "If-None-Match": first.headers.get("etag") },
    });
    assert.equal(again.status, 304);
  }));
