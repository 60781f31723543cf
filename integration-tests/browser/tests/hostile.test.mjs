// Whatever agents write: nothing runs as script, and the pages stay usable.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { PAGES, blameless, closeBrowser, scene, settled } from "../harness.mjs";

after(closeBrowser);

const CORPUS = [
  "<script>window.pwned=1</script>",
  "<img src=x onerror=window.pwned=1>",
  '"><svg onload=window.pwned=1>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the attack is meant for a template
  "'-window.pwned-'${window.pwned=1}{{constructor.constructor('window.pwned=1')()}}",
  "javascript:window.pwned=1",
  "</textarea></title><iframe srcdoc='<script>parent.pwned=1</script>'>",
  '<a href="javascript:window.pwned=1" autofocus onfocus=window.pwned=1>x</a>',
  '<math><mi//xlink:href="data:x,<script>window.pwned=1</script>">',
  "\u202e\u2066<b>right to left\u2069 עברית العربية",
  "\u0000&lt;script&gt;window.pwned=1&lt;/script&gt;".slice(1),
  "__proto__",
];

/** Every field that a client can write, with every one of these texts. */
async function infest(server) {
  for (const [at, text] of CORPUS.entries()) {
    const id = encodeURIComponent(text.replaceAll("/", "∕"));
    const agent = await server.agent(text, { workspace: text, intent: text, stack: text, capabilities: [text] });
    await server.call("PUT", `/api/state/x/${id}`, { [text]: text, list: [text] }, { by: agent.id });
    await server.call("PUT", `/api/state/x/${id}`, { [text]: `${text}2` }, { by: agent.id });
    await server.call("PUT", `/api/state/html-${at}`, text, { type: "text/html", by: agent.id });
    await server.call("PUT", `/api/specs/${id}/${id}`, { [text]: text });
    await server.call("PUT", `/api/contracts/${id}/contract`, {
      kind: "contract",
      version: 1,
      endpoints: { [text]: { request: { [text]: { type: "string", enum: [text] } } } },
    });
    await server.call("POST", "/api/events/publish", { topic: `t.${at}`, source: text, data: { [text]: text } });
    await server.call("POST", "/api/rules/propose", {
      project: decodeURIComponent(id),
      rule_id: decodeURIComponent(id),
      pattern: "x",
      message: text,
      stack: text,
      context: text,
      proposed_by: text,
    });
    await server.call("PUT", `/api/validate/${id}/rules`, [{ rule_id: "r", pattern: "x", message: text, stack: text }]);
    await server.call("POST", "/api/templates", {
      id: `t${at}`,
      name: text,
      description: text,
      tags: [text],
      data: [],
    });
    await server.call("POST", "/api/webhooks", {
      id: decodeURIComponent(id),
      url: `http://localhost:9/${id}`,
      patterns: ["never.*"],
    });
    await server.call("POST", "/api/llm/usage", {
      provider: text,
      model: text,
      project: text,
      session_tag: text,
      request_type: text,
      tokens_in: 5,
      cost_usd: 0.1,
    });
  }
  await server.call("POST", "/api/compliance/run");
}

test("nothing of a corpus of attacks runs, in any field, on any page", () =>
  scene({ before: infest }, async ({ server, page }) => {
    const paths = PAGES.map(([path]) => path);
    for (const { id } of (await server.call("GET", "/api/instances")).slice(0, 3)) paths.push(`/agents/${id}`);
    for (const { key } of await server.call("GET", "/api/state")) {
      const path = key.split("/").map(encodeURIComponent).join("/");
      paths.push(`/state/${path}`, `/state/${path}?tab=history`);
    }
    for (const { project } of (await server.call("GET", "/api/specs")).projects)
      paths.push(`/specs/${encodeURIComponent(project)}/contract`);
    for (const { project, rule_id: id } of await server.call("GET", "/api/rules"))
      paths.push(`/rules/${encodeURIComponent(project)}/${encodeURIComponent(id)}`);
    paths.push("/templates/t0", "/templates/t1", "/events?system=1");
    for (const path of paths) {
      await page.evaluate((to) => {
        history.pushState(null, "", to);
        dispatchEvent(new PopStateEvent("popstate"));
      }, path);
      await page.waitForTimeout(60);
      assert.equal(await page.evaluate(() => window.pwned), undefined, path);
      assert.equal(await page.locator("main script, main iframe, main img, main math").count(), 0, path);
      assert.equal(await page.locator('a[href^="javascript"]').count(), 0, path);
    }
    blameless(page);
  }));

test("the browser itself refuses to make markup or script of text", () =>
  scene({ forgive: /Trusted|Content Security Policy|trusted/i }, async ({ page }) => {
    const refused = await page.evaluate(() => {
      const tries = [
        () => (document.body.innerHTML = "<b>x</b>"),
        () => (document.createElement("script").textContent = "1"),
        () => document.body.insertAdjacentHTML("beforeend", "x"),
      ];
      return tries.map((attempt) => {
        try {
          attempt();
          return "allowed";
        } catch {
          return "refused";
        }
      });
    });
    assert.deepEqual(refused, ["refused", "refused", "refused"]);
  }));

test("10 MB, bytes, and deep nesting are shown without harm", () =>
  scene(
    {
      before: async (server) => {
        await server.call(
          "PUT",
          "/api/state/large",
          JSON.stringify({ list: Array.from({ length: 100_000 }, (_, n) => `item ${n} ${"x".repeat(70)}`) }),
        );
        await server.call("PUT", "/api/state/long-text", "y".repeat(9_000_000), { type: "text/plain" });
        await server.call(
          "PUT",
          "/api/state/bytes",
          Uint8Array.from({ length: 70_000 }, (_, n) => (n * 7) % 256),
          { type: "application/octet-stream" },
        );
        await server.call("PUT", "/api/state/deep", `${"[".repeat(20_000)}1${"]".repeat(20_000)}`);
        await server.call("PUT", "/api/state/false-json", "{no json", { type: "application/json" });
        await server.call("PUT", "/api/state/rtl", JSON.stringify({ مفتاح: "שלום \u202e abc" }));
      },
    },
    async ({ server, page }) => {
      const look = async (key) => {
        await page.goto(`${server.dashboard}/state/${key}`);
        await page.locator(".key-name", { hasText: key }).waitFor();
      };
      await look("large");
      await page.getByText("shown as text").waitFor();
      await page.getByRole("button", { name: "Show as a tree" }).click();
      await page.getByRole("button", { name: /list: \[ 100,000 items \]/ }).click();
      await page.getByText("item 99 ", { exact: false }).waitFor();
      assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) < 3000);
      await look("long-text");
      await page.getByRole("button", { name: "Show more" }).waitFor();
      await look("bytes");
      await page.getByText("Not text").waitFor();
      await page.getByText("00 07 0e 15").waitFor();
      await look("deep");
      await page.locator(".json, .text").first().waitFor();
      await look("false-json");
      await page.getByText("Not JSON, whatever").waitFor();
      await look("rtl");
      await page.getByText("שלום").waitFor();
    },
  ));

test("5,000 keys are a list that only draws what is seen", () =>
  scene({}, async ({ server, page }) => {
    const state = Object.fromEntries(
      Array.from({ length: 5000 }, (_, n) => [`p${n % 50}/key-${String(n).padStart(4, "0")}`, n]),
    );
    await server.call("POST", "/api/backup/restore", { state });
    await page.goto(`${server.dashboard}/state`);
    await settled(page);
    await page.getByText("5,000 keys").waitFor();
    assert.ok((await page.locator(".key-tree .line").count()) < 80);
    await page.getByRole("searchbox", { name: "Find a key" }).fill("4321");
    await page.getByRole("treeitem", { name: "p21/key-4321" }).click();
    await page.locator(".key-name", { hasText: "key-4321" }).waitFor();
  }));
