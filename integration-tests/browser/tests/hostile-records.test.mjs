// Data that is markup, endless, deep or right-to-left stays data, on every page of rules, specs and records; and those pages
// can be used by everybody.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";

import { blameless, closeBrowser, scene, settled } from "../harness.mjs";

after(closeBrowser);

const { source: AXE } = createRequire(import.meta.url)("axe-core");

const EVIL = [
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  '"><svg onload=alert(1)>',
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
  "</textarea><iframe srcdoc='<script>alert(1)</script>'>",
  "‮evil‬ עברית",
  "x".repeat(900),
  "__proto__",
  "constructor",
];

async function fill(server) {
  const instances = [];
  for (const [n, text] of EVIL.entries()) {
    const name = text.replaceAll("/", "|").slice(0, 190);
    const agent = await server.agent(text.slice(0, 190), { workspace: name, intent: text });
    instances.push(agent.id);
    await server.call("POST", "/api/rules/propose", {
      project: name,
      rule_id: name,
      pattern: "a",
      message: text,
      stack: text,
      proposed_by: text,
      context: text,
    });
    await server.call("POST", "/api/rules/import", [
      { project: name, rule_id: `${n}`, pattern: text.replace(/[()[\]{}*+?.\\|^$]/g, "\\$&"), message: text },
    ]);
    await server.call("PUT", `/api/contracts/${encodeURIComponent(name)}/${encodeURIComponent(name)}`, {
      kind: "contract",
      endpoints: {
        [text]: {
          request: { [text]: { type: "string", required: true, enum: [text] } },
          response_schema: { type: "object", properties: { [text]: { type: "string", description: text } } },
        },
        "GET /empty": {},
      },
    });
    await server.call("PUT", `/api/specs/${encodeURIComponent(name)}/plain`, { [text]: text });
    await server.call("POST", "/api/webhooks", {
      id: name,
      url: `http://127.0.0.1:9/${encodeURIComponent(text.slice(0, 200))}`,
      patterns: [`evil-${n}`],
    });
    await server.call("POST", "/api/templates", {
      id: name,
      name: text,
      description: text,
      kind: "bundle",
      tags: [text],
      data: { rules: [{ rule_id: name, pattern: "a", message: text }], specs: { [name]: { [text]: text } } },
    });
    await server.call("POST", "/api/llm/usage", {
      provider: text,
      model: text,
      instance_id: n % 2 ? agent.id : text,
      project: text,
      session_tag: text,
      cost_usd: 1,
    });
  }
  await server.call("POST", "/api/compliance/run");
}

const ownPath = (noun, text) => {
  const name = encodeURIComponent(text.replaceAll("/", "|").slice(0, 190));
  return {
    rules: `/rules/${name}/${name}`,
    specs: `/specs/${name}/${name}`,
    webhooks: `/webhooks/${name}`,
    templates: `/templates/${name}`,
  }[noun];
};

test("nothing that agents wrote becomes markup or script, nor breaks the layout", { timeout: 240_000 }, () =>
  scene({ path: "/rules", before: fill }, async ({ server, page }) => {
    const paths = [
      "/rules",
      "/rules/try",
      "/specs",
      "/webhooks",
      "/compliance",
      "/templates",
      "/costs",
      "/costs?by=instance",
      "/costs?by=model&span=24h",
      "/costs?by=session_tag",
    ];
    for (const text of EVIL) {
      for (const noun of ["rules", "specs", "webhooks", "templates"]) paths.push(ownPath(noun, text));
      for (const show of ["try", "content", "versions"]) paths.push(`${ownPath("specs", text)}?show=${show}`);
    }
    for (const path of paths) {
      await page.goto(server.dashboard + path);
      await settled(page);
      await page.locator(".loading:not(.on)").waitFor({ state: "attached" });
      const found = await page.evaluate(() => ({
        foreign: document.querySelectorAll("main :is(img, script, iframe, object, embed, style)").length,
        handlers: [...document.querySelectorAll("main *")].filter((node) =>
          [...node.attributes].some(({ name }) => name.startsWith("on")),
        ).length,
        links: [...document.querySelectorAll("main a[href]")].filter(
          ({ protocol }) => !["http:", "https:"].includes(protocol),
        ).length,
        wide: document.documentElement.scrollWidth - innerWidth,
      }));
      assert.deepEqual(found, { foreign: 0, handlers: 0, links: 0, wide: 0 }, path.slice(0, 120));
      blameless(page);
    }
  }),
);

async function some(server) {
  const bob = await server.agent("bob", { workspace: "wash" });
  await server.call("PUT", "/api/state/truck", { plate: 7 });
  await server.call("PUT", "/api/contracts/wash/trucks", {
    kind: "contract",
    endpoints: {
      "POST /trucks": {
        request: { plate: { type: "string", required: true, enum: ["a", "b"] } },
        response_status: 201,
      },
      "GET /trucks": { response_schema: { type: "object", properties: { id: { type: "string" } } } },
    },
    checks: [{ state: "truck", endpoint: "POST /trucks" }],
  });
  await server.call("PUT", "/api/specs/wash/tokens", { a: 1 });
  await server.call("PUT", "/api/specs/wash/tokens", { a: 2 });
  await server.call("POST", "/api/rules/import", [
    { project: "wash", rule_id: "no-todo", pattern: "TODO", stack: "go" },
  ]);
  await server.call("POST", "/api/rules/propose", {
    project: "wash",
    rule_id: "no-print",
    pattern: "print",
    message: "Use the logger",
    context: "why",
    proposed_by: bob.id,
    severity: "warning",
  });
  await server.call("POST", "/api/webhooks", { id: "ci", url: "http://127.0.0.1:9/hook" });
  await server.call("POST", "/api/templates/capture", {
    id: "t",
    name: "T",
    project: "wash",
    kind: "bundle",
    tags: ["x"],
  });
  for (const project of ["wash", "fleet"])
    await server.call("POST", "/api/llm/usage", {
      provider: "p",
      model: "m",
      project,
      instance_id: bob.id,
      cost_usd: 1,
      tokens_in: 5,
    });
  await server.call("POST", "/api/compliance/run");
}

const STOPS = [
  ["/rules"],
  ["/rules/wash/no-print"],
  ["/rules", "Add a rule"],
  ["/rules", "Import"],
  ["/rules", "Export"],
  ["/rules/try"],
  ["/specs"],
  ["/specs/wash"],
  ["/specs/wash/trucks"],
  ["/specs/wash/trucks?show=try"],
  ["/specs/wash/tokens"],
  ["/specs/wash/tokens?show=versions"],
  ["/specs/wash/tokens", "Edit"],
  ["/webhooks/ci"],
  ["/webhooks", "Add a webhook"],
  ["/compliance"],
  ["/templates/t"],
  ["/templates/t", "Apply"],
  ["/templates", "Capture a project"],
  ["/costs"],
  ["/costs?by=instance&span=30d"],
];

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious on these pages and their dialogs, ${colorScheme}`, { timeout: 240_000 }, () =>
    scene({ path: "/rules", before: some, colorScheme, bypassCSP: true }, async ({ server, page }) => {
      for (const [path, button] of STOPS) {
        await page.goto(server.dashboard + path);
        await settled(page);
        if (button) {
          await page.getByRole("button", { name: button, exact: true }).first().click();
          await page.getByRole("dialog").waitFor();
        }
        if (path === "/rules/try") await page.getByLabel("Text to check").fill("a TODO\nfine");
        if (path === "/rules/try") await page.locator(".marked").waitFor();
        await page.waitForTimeout(250);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
        const serious = violations
          .filter(({ impact }) => ["serious", "critical"].includes(impact))
          .map(({ id, nodes }) => [id, nodes.map(({ target }) => target.join(" "))]);
        assert.deepEqual(serious, [], `${path} ${button ?? ""}`);
      }
    }),
  );
}

test("on a phone everything fits its width", () =>
  scene({ path: "/rules", before: some, viewport: { width: 360, height: 740 } }, async ({ server, page }) => {
    for (const [path, button] of STOPS) {
      await page.goto(server.dashboard + path);
      await page.locator(".page-head").waitFor();
      if (button) await page.getByRole("button", { name: button, exact: true }).first().click();
      await page.waitForTimeout(150);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, path);
    }
  }));
