// What can be done on the pages: state, events, agents, audit.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { closeBrowser, scene } from "../harness.mjs";

after(closeBrowser);

const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();

test("a key is made, edited, compared, rolled back, deleted and brought back", () =>
  scene({ path: "/state" }, async ({ server, page }) => {
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Key", { exact: true }).fill("Truck-Wash/plan");
    await page.getByLabel("Value").fill('{"step": 1, "big": 12345678901234567890}');
    await page.getByRole("button", { name: "Create" }).click();
    await said(page, "Truck-Wash/plan is there");
    await page.getByText("12345678901234567890").waitFor();

    await page.getByRole("button", { name: "Edit" }).click();
    const field = page.getByLabel("Value of Truck-Wash/plan");
    assert.match(await field.inputValue(), /"big": 12345678901234567890/);
    await field.fill('{"step": }');
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".field .wrong").waitFor();
    await field.fill('{"step": 2}');
    await page.getByRole("button", { name: "Save" }).click();
    await said(page, "at version 2 now");

    await page.getByRole("link", { name: "History (2)" }).click();
    await page.locator(".diff ins", { hasText: "2" }).waitFor();
    await page.getByRole("button", { name: "Roll back" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await said(page, "what version 1 was");
    assert.equal((await server.call("GET", "/api/state/Truck-Wash/plan")).step, 1);

    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal((await server.call("GET", "/api/state")).length, 1);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await said(page, "is deleted");
    assert.deepEqual(await server.call("GET", "/api/state"), []);
    await page.goto(`${server.dashboard}/state/Truck-Wash/plan?tab=history`);
    await page.getByRole("button", { name: "Roll back" }).last().click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await said(page, "what version 1 was");
    assert.equal((await server.call("GET", "/api/state/Truck-Wash/plan")).step, 1);
  }));

test("a concurrent change is shown, not overwritten", () =>
  scene(
    {
      path: "/state/k",
      before: (server) => server.call("PUT", "/api/state/k", { by: "first" }),
      forgive: /412/,
    },
    async ({ server, page }) => {
      await page.getByRole("button", { name: "Edit" }).click();
      await page.getByLabel("Value of k").fill('{"by": "me"}');
      await server.call("PUT", "/api/state/k", { by: "somebody else" });
      await page.getByText("Version 2 was written while you are editing").waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("Another writer saved version 2 while you were editing").waitFor();
      await page.locator(".diff td.was", { hasText: "somebody else" }).waitFor();
      assert.deepEqual(await server.call("GET", "/api/state/k"), { by: "somebody else" });
      await page.getByRole("button", { name: "Save mine over it" }).click();
      await said(page, "at version 3 now");
      assert.deepEqual(await server.call("GET", "/api/state/k"), { by: "me" });
    },
  ));

test("a key is found by a part of its name, and by the keyboard", () =>
  scene(
    {
      path: "/state",
      before: async (server) => {
        for (const key of ["a/alpha", "a/beta", "b/gamma"]) await server.call("PUT", `/api/state/${key}`, {});
      },
    },
    async ({ page }) => {
      await page.getByRole("searchbox", { name: "Find a key" }).fill("MM");
      await page.getByRole("treeitem", { name: "alpha" }).waitFor({ state: "detached" });
      await page.getByRole("tree").focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.locator(".key-name", { hasText: "gamma" }).waitFor();
    },
  ));

test("events are filtered, paused, looked at and published", () =>
  scene({ path: "/events" }, async ({ server, page }) => {
    const publish = (topic, data = {}) => server.call("POST", "/api/events/publish", { topic, data });
    await publish("a.done");
    await publish("b.done");
    await page.getByText("b.done").waitFor();
    await page.getByLabel("Topics, such as").fill("a.*");
    await page.getByText("b.done").waitFor({ state: "detached" });
    await publish("b.more");
    await publish("a.more", { deep: { value: 42 } });
    await page.getByText("a.more").click();
    await page.getByRole("region", { name: "Data of the event" }).getByText("42").waitFor();
    assert.equal(await page.getByText("b.more").count(), 0);
    await page.getByRole("button", { name: "Pause" }).click();
    await publish("a.later");
    await page.getByText("paused, 1 new").waitFor();
    assert.equal(await page.getByText("a.later").count(), 0);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("a.later").waitFor();
    await page.getByLabel("Topics, such as").fill("[");
    await page.getByText("This is not a pattern").waitFor();
    await page.getByLabel("Topics, such as").fill("");

    await page.getByRole("button", { name: "Publish" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Topic").fill("truck wash");
    await dialog.getByLabel("Data (JSON)").fill("{");
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.locator(".wrong").waitFor();
    page.forgive = /400/;
    await dialog.getByLabel("Data (JSON)").fill('{"n": 1}');
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.locator(".problem").waitFor();
    await dialog.getByLabel("Topic").fill("truck-wash.go");
    await dialog.getByRole("button", { name: "Publish" }).click();
    await said(page, "is published");
    await page.getByText("truck-wash.go").waitFor();
  }));

test("the log is read by time and source", () =>
  scene({}, async ({ server, page }) => {
    await server.call("POST", "/api/events/publish", { topic: "by.bob", source: "bob" });
    await server.call("POST", "/api/events/publish", { topic: "by.eve", source: "eve" });
    await page.goto(`${server.dashboard}/events?source=bob&from=2020-01-01T00:00`);
    await page.getByText("by.bob").waitFor();
    assert.equal(await page.getByText("by.eve").count(), 0);
    await page.goto(`${server.dashboard}/events?to=2020-01-01T00:00`);
    await page.getByText("Nothing matches").waitFor();
  }));

test("a proposal is decided on the overview", () =>
  scene(
    {
      before: async (server) => {
        for (const rule of ["good-one", "bad-one"])
          await server.call("POST", "/api/rules/propose", {
            project: "P",
            rule_id: rule,
            pattern: "x",
            context: "seen twice",
          });
      },
    },
    async ({ server, page }) => {
      await page.locator(".decision", { hasText: "good-one" }).getByRole("button", { name: "Accept" }).click();
      await said(page, "good-one is in force");
      await page.locator(".decision", { hasText: "bad-one" }).getByRole("button", { name: "Reject" }).click();
      await said(page, "bad-one was rejected");
      await page.getByText("Nothing waits for you").waitFor();
      const rules = await server.call("GET", "/api/rules");
      assert.deepEqual(rules.map((rule) => [rule.rule_id, rule.status]).sort(), [
        ["bad-one", "rejected"],
        ["good-one", "accepted"],
      ]);
    },
  ));

test("requests wait on the overview until they are answered", () =>
  scene({}, async ({ server, page }) => {
    await page.getByText("Nothing waits for you").waitFor();
    const bob = await server.agent("bob");
    const ask = (need) =>
      server.call("POST", "/api/events/publish", { topic: "truck-wash.bob.request", data: { need } }, { by: bob.id });
    const first = await ask("is plate ever empty?");
    const second = await ask("which status?");
    const waiting = (text) => page.locator(".decision", { hasText: text });
    await waiting("is plate ever empty?").waitFor();
    const topic = "truck-wash.controller.bob.no";
    await server.call("POST", "/api/events/publish", { topic, data: { request: second.id } });
    await waiting("which status?").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByRole("dialog").getByLabel("Note for the agent").fill("never");
    await page.getByRole("dialog").getByRole("button", { name: "Send" }).click();
    await said(page, `Request ${first.id} is answered`);
    await page.getByText("Nothing waits for you").waitFor();
    const [answer] = await server.call("GET", "/api/events/history?topic=*.yes");
    assert.equal(answer.topic, "truck-wash.controller.bob.yes");
    assert.deepEqual(answer.data, { request: first.id, note: "never" });
  }));

test("what fails has a badge beside a healthy server", () =>
  scene({}, async ({ server, page }) => {
    await server.agent("bob", { workspace: "/home/bob/P" });
    const endpoints = { "POST /x": { request: { plate: { type: "string", required: true } } } };
    const checks = [{ state: "P/value", endpoint: "POST /x", direction: "request" }];
    await server.call("PUT", "/api/contracts/P/c", { kind: "contract", version: 1, endpoints, checks });
    await server.call("PUT", "/api/state/P/value", { plate: 1 });
    const { runs } = await server.call("POST", "/api/compliance/run");
    assert.deepEqual(
      runs.map(({ pass }) => pass),
      [false],
    );
    await page.getByText("Healthy").waitFor();
    await page.getByRole("link", { name: "1 contract failing" }).click();
    await page.waitForURL("**/compliance");
  }));

test("a stale agent's page offers what can be done, and stale agents come first", () =>
  scene({ server: { flags: ["--stale-after", "1s"] } }, async ({ server, page }) => {
    const late = await server.agent("zoe");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    for (const name of ["agent-10", "agent-2"]) await server.agent(name);
    await server.call("POST", "/api/liveness/check");
    await page.locator(".agent-card.stale", { hasText: "zoe" }).waitFor();
    const names = await page.locator(".agent-card .name").allInnerTexts();
    assert.deepEqual(names, ["zoe", "agent-2", "agent-10"]);
    const signs = await page.locator(".agent-card .face").allInnerTexts();
    assert.deepEqual(signs, ["ZO", "A2", "A10"]);
    await page.goto(`${server.dashboard}/agents/${late.id}`);
    await page.getByText("No signal for").waitFor();
    await page.getByRole("button", { name: "Mark as active" }).click();
    await said(page, "zoe is active");
    await page.getByText("No signal for").waitFor({ state: "detached" });
  }));

test("keys go to pages, search, move in lists and list themselves", () =>
  scene({}, async ({ server, page }) => {
    await server.call("PUT", "/api/state/a/one", 1);
    await server.call("PUT", "/api/state/a/two", 2);
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await page.getByRole("treeitem", { name: "two" }).waitFor();
    for (const key of ["j", "j", "Enter"]) await page.keyboard.press(key);
    await page.waitForURL("**/state/a/one");
    await page.keyboard.press("/");
    // In a field, letters are letters.
    await page.keyboard.type("gaj");
    assert.equal(await page.getByRole("searchbox", { name: "Find a key" }).inputValue(), "gaj");
    await page.locator("main").focus();
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Go to Audit").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
  }));

test("an agent's intent is set, its doings are listed, and it is deregistered", () =>
  scene({}, async ({ server, page }) => {
    const bob = await server.agent("bob");
    await server.call("PUT", "/api/state/his", { x: 1 }, { by: bob.id });
    await server.call("POST", "/api/events/publish", { topic: "his.event" }, { by: bob.id });
    await page.goto(`${server.dashboard}/agents`);
    await page.getByRole("link", { name: "bob" }).click();
    const timeline = page.locator(".timeline");
    await timeline.getByText("his.event").waitFor();
    await timeline.getByText("state.put").waitFor();
    await page.getByRole("button", { name: "Edit intent" }).click();
    await page.getByLabel("What this agent is working on").fill("the form");
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await said(page, "The intent is set");
    await page.getByText("the form").first().waitFor();
    await page.getByRole("button", { name: "Deregister" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Deregister" }).click();
    await page.waitForURL("**/agents");
    assert.deepEqual(await server.call("GET", "/api/instances"), []);
  }));

test("the audit log is filtered and its chain verified", () =>
  scene({ path: "/audit" }, async ({ server, page }) => {
    await server.call("PUT", "/api/state/a", { x: 1 });
    await server.call("PUT", "/api/specs/P/s", { x: 1 });
    await page.getByRole("cell", { name: "spec.put" }).waitFor();
    await page.getByLabel("Action").selectOption("state.put");
    await page.getByRole("cell", { name: "spec.put" }).waitFor({ state: "detached" });
    await page.getByRole("cell", { name: "state.put" }).waitFor();
    await page.getByRole("button", { name: "Verify the chain" }).click();
    await said(page, "The chain is intact");
  }));
