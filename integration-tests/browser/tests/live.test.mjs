// What another client does shows without a reload, and a restart of the server loses nothing.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Server, blameless, closeBrowser, scene, settled, visit } from "../harness.mjs";

after(closeBrowser);

test("an event of another client shows on the overview and in the log", () =>
  scene({}, async ({ server, page }) => {
    await server.call("POST", "/api/events/publish", {
      topic: "truck-wash.backend.done",
      data: { task: "TW-9" },
      source: "bob",
    });
    await page.getByText("truck-wash.backend.done").waitFor();
    await page.goto(`${server.dashboard}/events`);
    await settled(page);
    await server.call("POST", "/api/events/publish", { topic: "truck-wash.mobile.done" });
    await page.getByText("truck-wash.mobile.done").waitFor();
  }));

test("agents come, change and go on the overview", () =>
  scene({}, async ({ server, page }) => {
    await page.getByText("No agents yet").waitFor();
    const bob = await server.agent("bob", { intent: "build the form", stack: "goth", capabilities: ["code"] });
    const card = page.locator(".agent-card", { hasText: "bob" });
    await card.getByText("active").waitFor();
    await card.getByText("build the form").waitFor();
    await server.call("POST", `/api/instances/${bob.id}/intent`, { intent: "test the form" });
    await card.getByText("test the form").waitFor();
    await server.call("DELETE", `/api/instances/${bob.id}`);
    await card.waitFor({ state: "detached" });
  }));

test("a value that is looked at follows what others write", () =>
  scene(
    {
      path: "/state/a/key",
      before: (server) => server.call("PUT", "/api/state/a/key", { step: "first" }),
    },
    async ({ server, page }) => {
      await page.getByText('"first"').waitFor();
      await server.call("PUT", "/api/state/a/key", { step: "second" });
      await page.getByText('"second"').waitFor();
      await server.call("PUT", "/api/state/b/new", { x: 1 });
      await page.getByRole("treeitem", { name: "new" }).waitFor();
      await server.call("DELETE", "/api/state/b/new");
      await page.getByRole("treeitem", { name: "new" }).waitFor({ state: "detached" });
    },
  ));

test("a restart shows, and everything since is caught up without a reload", async () => {
  let server = await Server.start();
  const page = await visit(server, "/events", { forgive: /ERR_CONNECTION|WebSocket connection|Failed to load/ });
  try {
    await settled(page);
    await page.evaluate(() => (window.notReloaded = true));
    await server.stop();
    await page.getByText("Connection lost").waitFor();
    server = await server.again();
    await server.call("POST", "/api/events/publish", { topic: "after.restart" });
    await page.getByText("after.restart").waitFor({ timeout: 20_000 });
    await page.getByText("Connection lost").waitFor({ state: "hidden" });
    await server.call("POST", "/api/events/publish", { topic: "and.live.again" });
    await page.getByText("and.live.again").waitFor();
    assert.equal(await page.evaluate(() => window.notReloaded), true);
    blameless(page);
  } finally {
    await page.context().close();
    await server.end();
  }
});

test("where pruning was faster, the page reads anew", async () => {
  const server = await Server.start();
  const page = await visit(server, "/agents", { forgive: /ERR_|WebSocket connection|Failed to load/ });
  try {
    await settled(page);
    // Another store under the same address: its ids begin anew.
    const ports = [server.api, server.dashboard].map((url) => Number(new URL(url).port));
    for (let n = 0; n < 5; n += 1) await server.call("POST", "/api/events/publish", { topic: "x" });
    await page.waitForTimeout(300);
    await server.end();
    await page.getByText("Connection lost").waitFor();
    const other = await Server.start({ ports });
    try {
      await other.agent("newcomer");
      await page.getByText("newcomer").waitFor({ timeout: 20_000 });
      blameless(page);
    } finally {
      await other.end();
    }
  } finally {
    await page.context().close();
    await server.end();
  }
});

test("many tabs of one browser each follow by one connection, and none asks in vain", () =>
  scene({ path: "/audit" }, async ({ page }) => {
    await settled(page);
    const calls = [];
    page.on("request", (request) => calls.push(request.url()));
    await page.waitForTimeout(3000);
    assert.deepEqual(calls, []);
  }));

test("lines of the log never lie on each other while events come", () =>
  scene({ path: "/" }, async ({ server, page }) => {
    const publish = (n) =>
      server.call("POST", "/api/events/publish", { topic: `truck-wash.agent-${n % 7}.progress`, data: { n } });
    for (let n = 0; n < 20; n += 1) await publish(n);
    let going = true;
    const pouring = (async () => {
      for (let n = 20; going; n += 1) await publish(n);
    })();
    const all = page.getByRole("button", { name: "All", exact: true });
    const agents = page.getByRole("button", { name: "Agents’" });
    let overlaps = 0;
    for (let sample = 0; sample < 100; sample += 1) {
      // Reading the list anew while events come live brings each of them twice.
      if (sample % 5 === 0) await (sample % 10 === 0 ? all : agents).click();
      // In one go: what is found first and measured later may be gone in between.
      overlaps += await page.evaluate(() => {
        const lines = [...document.querySelectorAll(".event-list .line")];
        const tops = lines.map((line) => Math.round(line.getBoundingClientRect().top)).sort((a, b) => a - b);
        return tops.filter((top, at) => at > 0 && top === tops[at - 1]).length;
      });
    }
    going = false;
    await pouring;
    assert.equal(overlaps, 0);
  }));
