// Webhooks, compliance and costs.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";

import { closeBrowser, scene } from "../harness.mjs";

after(closeBrowser);

const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();

/** A receiver of webhooks on a port of its own, which answers with `receiver.status`. */
async function receiver() {
  const made = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      made.calls.push({ headers: request.headers, body: JSON.parse(body) });
      answer.writeHead(made.status).end();
    });
  });
  Object.assign(made, { calls: [], status: 204 });
  await new Promise((resolve) => made.listen(0, "127.0.0.1", resolve));
  made.url = `http://127.0.0.1:${made.address().port}/hook`;
  return made;
}

test("a webhook is added with a secret, tested, told of events, and deleted", async () => {
  const hook = await receiver();
  try {
    await scene({ path: "/webhooks", forgive: /400|409/ }, async ({ server, page }) => {
      const dialog = page.getByRole("dialog");
      await page.getByText("No webhooks yet").waitFor();
      await page.getByRole("button", { name: "Add a webhook" }).click();
      await dialog.getByLabel("Id").fill("ci");
      await dialog.getByLabel("URL").fill("ftp://example.com");
      await dialog.getByLabel("Topics").fill("build.*");
      await dialog.getByRole("button", { name: "Generate a secret" }).click();
      assert.match(await dialog.getByLabel("Secret").inputValue(), /^whsec_[A-Za-z0-9+/]{32}$/);
      await dialog.getByRole("button", { name: "Add", exact: true }).click();
      await dialog.locator(".problem").waitFor();
      await dialog.getByLabel("URL").fill(hook.url);
      await dialog.getByRole("button", { name: "Add", exact: true }).click();
      await said(page, "ci is told of events from now on");
      await page.getByText("with a secret").waitFor();

      await page.getByRole("button", { name: "Test" }).click();
      await said(page, "ci took a test call");
      await server.call("POST", "/api/events/publish", { topic: "build.done", data: 1 });
      await page.locator(".to tbody tr", { hasText: "#" }).getByText("204").waitFor();
      assert.deepEqual(
        hook.calls.map(({ body }) => body.topic),
        ["webhook.test", "build.done"],
      );
      assert.ok(hook.calls[1].headers["webhook-signature"]);

      hook.status = 500;
      await page.getByRole("button", { name: "Test" }).click();
      await said(page, "webhook test failed");
      await page.getByRole("button", { name: "Delete" }).click();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      assert.equal((await server.call("GET", "/api/webhooks")).length, 1);
      await page.getByRole("button", { name: "Delete" }).click();
      await dialog.getByRole("button", { name: "Delete" }).click();
      await said(page, "ci is deleted");
      await page.getByText("No webhooks yet").waitFor();
    });
  } finally {
    hook.close();
  }
});

test("a webhook of another client shows, and what it could not deliver", async () => {
  const hook = await receiver();
  hook.status = 503;
  try {
    await scene({ path: "/webhooks" }, async ({ server, page }) => {
      await page.getByText("No webhooks yet").waitFor();
      await server.call("POST", "/api/webhooks", { id: "chat", url: hook.url });
      await page.getByRole("link", { name: "chat" }).waitFor();
      await server.call("POST", "/api/events/publish", { topic: "a.b" });
      await page.locator(".to tbody tr", { hasText: "503" }).first().waitFor();
      await page.locator(".from .badge", { hasText: "in a row" }).waitFor();
    });
  } finally {
    hook.close();
  }
});

async function breakContract(server) {
  const bob = await server.agent("bob", { workspace: "wash" });
  await server.call("PUT", "/api/state/truck", { plate: 7 });
  await server.call("PUT", "/api/contracts/wash/trucks", {
    kind: "contract",
    endpoints: { "POST /trucks": { request: { plate: { type: "string" } } } },
    checks: [{ state: "truck", endpoint: "POST /trucks" }],
  });
  return bob;
}

test("contracts are checked on demand, and what breaks them shows until it is put right", () =>
  scene({ path: "/compliance", before: breakContract }, async ({ server, page }) => {
    await page.getByText("No checks yet").waitFor();
    await page.getByRole("button", { name: "Run now" }).click();
    await said(page, "1 check run: 1 failed.");
    const failing = page.locator(".failing > li");
    await failing.getByText("expected string, got number").waitFor();
    await failing.getByRole("link", { name: "bob" }).waitFor();
    await page.getByText("1 of 1 contract fails").waitFor();

    await server.call("PUT", "/api/state/truck", { plate: "TW 7" });
    await page.getByRole("button", { name: "Run now" }).click();
    await said(page, "1 check run: all passed.");
    await page.getByText("Every contract passed").waitFor();
    await page.getByText("2 runs").waitFor();
    await page.getByRole("button", { name: "Failed" }).click();
    await page.getByText("1 run", { exact: true }).waitFor();
    await page.locator(".virtual .line").click();
    const dialog = page.getByRole("dialog");
    await dialog.locator(".violations li", { hasText: "expected string, got number" }).waitFor();
    await dialog.getByRole("link", { name: "Open the contract" }).click();
    await page.waitForURL("**/specs/wash/trucks");
  }));

test("a violation that another client's run finds shows by itself", () =>
  scene({ path: "/compliance", before: breakContract }, async ({ server, page }) => {
    await page.getByText("No checks yet").waitFor();
    await server.call("POST", "/api/compliance/run");
    await page.locator(".failing > li", { hasText: "expected string, got number" }).waitFor();
  }));

test("costs add up by project, agent, model and session, and grow as agents work", () =>
  scene({ path: "/costs" }, async ({ server, page }) => {
    await page.getByText("No usage yet").waitFor();
    const bob = await server.agent("bob");
    const use = (more) =>
      server.call("POST", "/api/llm/usage", {
        provider: "anthropic",
        model: "opus",
        instance_id: bob.id,
        project: "wash",
        tokens_in: 1000,
        tokens_out: 100,
        cost_usd: 1.5,
        session_tag: "TW-9",
        ...more,
      });
    await use();
    await page.locator(".stat", { hasText: "Cost" }).getByText("$1.50").first().waitFor();
    await use({ project: "fleet", model: "haiku", cost_usd: 0.5, instance_id: "", session_tag: "" });
    await page.locator(".stat", { hasText: "Cost" }).getByText("$2.00").waitFor();
    const row = (name) => page.getByRole("region", { name: "Sums" }).locator("tbody tr", { hasText: name });
    assert.match(await row("wash").innerText(), /\$1\.50[\s\S]*75\.0 %[\s\S]*1\s+1,000\s+100/);
    await page.getByRole("button", { name: "Model" }).click();
    await row("haiku").getByText("$0.50").waitFor();
    await page.getByRole("button", { name: "Agent" }).click();
    await row("bob").getByText("$1.50").waitFor();
    await row("no agent").waitFor();
    await page.getByRole("button", { name: "Session" }).click();
    await row("TW-9").waitFor();
    await page.getByRole("button", { name: "24 hours" }).click();
    await page.getByText("The last 24 hours", { exact: true }).waitFor();
    await page.getByRole("group", { name: "What is drawn" }).getByRole("button", { name: "Calls" }).click();
    await page.getByRole("heading", { name: "Calls by session" }).waitFor();
    assert.equal(new URL(page.url()).search, "?by=session_tag&span=24h&measure=calls");
    assert.equal(await page.locator(".chart table tbody tr").count(), 24);
  }));
