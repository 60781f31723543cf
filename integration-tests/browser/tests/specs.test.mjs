// Specs, contracts and templates: read, written, compared, tried, applied.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { closeBrowser, scene } from "../harness.mjs";

after(closeBrowser);

const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();
const contract = {
  kind: "contract",
  version: 1,
  endpoints: {
    "POST /api/trucks": {
      request: {
        plate: { type: "string", required: true },
        kind: { type: "string", enum: ["rigid", "semi"] },
        owner: { type: "object", fields: { name: { type: "string", nullable: true } } },
      },
      response_status: 201,
    },
    "GET /api/trucks": { response_array: { id: { type: "string", required: true } } },
  },
};

test("a contract is read as a table, and payloads are held against it", () =>
  scene(
    {
      path: "/specs",
      before: (server) => server.call("PUT", "/api/contracts/wash/trucks", contract),
    },
    async ({ page }) => {
      await page.getByRole("option", { name: "wash" }).click();
      await page.getByRole("link", { name: "trucks" }).click();
      const endpoint = page.locator(".endpoint", { hasText: "POST" });
      await endpoint.getByText("201").waitFor();
      const row = (name) => endpoint.locator("tbody tr", { has: page.locator("th", { hasText: name }) });
      assert.match(await row("plate").innerText(), /string\s+required/);
      assert.match(await row("kind").innerText(), /rigid\s*semi/);
      assert.match(await row(/^name$/).innerText(), /string or null/);

      await page.getByRole("link", { name: "Try a payload" }).click();
      await page.getByText("The payload is valid").waitFor();
      const payload = page.getByLabel("Payload, as JSON");
      assert.match(await payload.inputValue(), /"kind": "rigid"/);
      await page.getByLabel("Endpoint").selectOption("GET /api/trucks");
      assert.match(await payload.inputValue(), /^\[/);
      await page.getByLabel("Endpoint").selectOption("POST /api/trucks");
      await payload.fill('{"kind": "boat"}');
      await page.locator(".violations li", { hasText: 'missing required field "plate"' }).waitFor();
      await page.locator(".violations li", { hasText: 'value "boat" not in allowed enum' }).waitFor();
      await payload.fill('{"kind": ');
      await page.getByText("This is not JSON yet").waitFor();
      await page.getByRole("button", { name: "An example" }).click();
      await page.getByText("The payload is valid").waitFor();
    },
  ));

test("a live service is called and held against the contract", () =>
  scene(
    {
      path: "/specs/wash/trucks?show=try",
      before: (server) =>
        server.call("PUT", "/api/contracts/wash/trucks", {
          kind: "contract",
          endpoints: { "GET /health": { response: { status: { type: "number" } } } },
        }),
    },
    async ({ server, page }) => {
      await page.getByLabel("Live service").fill(server.api);
      await page.getByRole("button", { name: "Call it" }).click();
      await page.locator(".live-call .violations li", { hasText: "expected number, got string" }).waitFor();
    },
  ));

test("a spec is added, edited, compared, rolled back, deleted and brought back", () =>
  scene({ path: "/specs", forgive: /412|422|404/ }, async ({ server, page }) => {
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "New" }).click();
    await dialog.getByLabel("Project").fill("wash");
    await dialog.getByLabel("Name").fill("tokens");
    await dialog.getByLabel("Content, as JSON").fill('{"kind": "contract", "endpoints": []}');
    await dialog.getByRole("button", { name: "Add" }).click();
    await dialog.getByText("expected object, got array").waitFor();
    await dialog.getByLabel("Content, as JSON").fill('{"color": ');
    await dialog.getByRole("button", { name: "Add" }).click();
    await dialog.locator(".wrong").waitFor();
    await dialog.getByLabel("Content, as JSON").fill('{"color":"red","big":12345678901234567890}');
    await dialog.getByRole("button", { name: "Add" }).click();
    await said(page, "wash/tokens is saved as version 1");
    await page.waitForURL("**/specs/wash/tokens");

    await page.getByRole("button", { name: "Edit" }).click();
    assert.match(await dialog.getByLabel("Content, as JSON").inputValue(), /12345678901234567890/);
    await server.call("PUT", "/api/specs/wash/tokens", { color: "green" });
    await dialog.getByLabel("Content, as JSON").fill('{"color": "blue"}');
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("Nothing was overwritten").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByText('"green"').waitFor();
    assert.deepEqual(await server.call("GET", "/api/specs/wash/tokens"), { color: "green" });

    await page.getByRole("link", { name: "Versions" }).click();
    await page.locator(".diff ins, .diff .now", { hasText: "green" }).first().waitFor();
    await server.call("PUT", "/api/specs/wash/tokens", { color: "violet" });
    await page.getByRole("radio", { name: "To version 3" }).waitFor();
    await page.getByRole("radio", { name: "From version 1" }).check();
    await page.getByRole("heading", { name: "From version 1 to version 3" }).waitFor();
    await page.getByRole("button", { name: "Roll back to version 2" }).click();
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await said(page, "wash/tokens is as it was in version 2");
    assert.deepEqual(await server.call("GET", "/api/specs/wash/tokens"), { color: "green" });
    await page.getByRole("radio", { name: "To version 4" }).waitFor();

    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await said(page, "wash/tokens is deleted");
    await page.getByText("spec not found: wash/tokens").waitFor();
    await page.getByRole("button", { name: "Roll back to version 4" }).click();
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await said(page, "wash/tokens is as it was in version 4");
    assert.deepEqual(await server.call("GET", "/api/specs/wash/tokens"), { color: "green" });
  }));

test("a spec of another client shows, and changes while it is looked at", () =>
  scene({ path: "/specs" }, async ({ server, page }) => {
    await page.getByText("No specs yet").waitFor();
    await server.call("PUT", "/api/specs/wash/tokens", { color: "first" });
    await page.getByRole("link", { name: "wash" }).click();
    await page.getByRole("option", { name: "tokens" }).click();
    await page.getByText('"first"').waitFor();
    await server.call("PUT", "/api/specs/wash/tokens", { color: "second" });
    await page.getByText('"second"').waitFor();
    await page.getByText("version 2", { exact: true }).waitFor();
  }));

test("a project is captured as a template and applied to another, which is asked about first", () =>
  scene(
    {
      path: "/templates",
      before: async (server) => {
        await server.call("PUT", "/api/contracts/wash/trucks", contract);
        await server.call("POST", "/api/rules/import", [{ project: "wash", rule_id: "no-todo", pattern: "TODO" }]);
      },
    },
    async ({ server, page }) => {
      const dialog = page.getByRole("dialog");
      await page.getByText("No templates yet").waitFor();
      await page.getByRole("button", { name: "Capture a project" }).click();
      await dialog.getByLabel("Project").fill("wash");
      await dialog.getByLabel("Id").fill("basics");
      await dialog.getByLabel("Name").fill("Basics");
      await dialog.getByRole("button", { name: "Capture" }).click();
      await said(page, "Basics holds 1 rule, 1 contract.");
      await page.locator(".template-part", { hasText: "no-todo" }).waitFor();
      await page.getByText("POST /api/trucks").waitFor();

      await page.getByRole("button", { name: "Apply" }).click();
      await dialog.getByLabel("Project").fill("wash");
      await dialog.getByRole("button", { name: "Apply" }).click();
      await dialog.getByText("wash has 1 rule, 1 contract already").waitFor();
      await dialog.getByLabel("Project").fill("fleet");
      await dialog.getByRole("button", { name: "Apply" }).click();
      await said(page, "fleet has 1 rule, 1 contract of Basics now.");
      assert.equal((await server.call("GET", "/api/rules?project=fleet")).length, 1);
      assert.deepEqual(await server.call("GET", "/api/specs/fleet/trucks"), contract);
      assert.equal((await server.call("GET", "/api/specs/wash/trucks?history=1")).versions.length, 1);
    },
  ));

test("a template is created, listed, edited and deleted", () =>
  scene({ path: "/templates", forgive: /400/ }, async ({ server, page }) => {
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "Create" }).click();
    await dialog.getByLabel("Id").fill("web");
    await dialog.getByLabel("Name").fill("Web basics");
    await dialog.getByLabel("Tags").fill("web, start");
    await dialog.getByLabel("Data, as JSON").fill('[{"rule_id": "a", "pattern": "("}]');
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("invalid pattern").waitFor();
    await dialog.getByLabel("Data, as JSON").fill('[{"rule_id": "a", "pattern": "x"}]');
    await dialog.getByRole("button", { name: "Create" }).click();
    await said(page, "Web basics is created");
    await server.call("POST", "/api/templates", { id: "api", name: "API basics", kind: "contracts", tags: ["api"] });
    await page.getByRole("option", { name: "API basics" }).waitFor();
    await page.getByRole("button", { name: "Contracts", exact: true }).click();
    await page.getByRole("option", { name: "Web basics" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.getByLabel("Tag").selectOption("start");
    await page.getByRole("option", { name: "API basics" }).waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Edit" }).click();
    await dialog.getByLabel("Description").fill("For the web");
    await dialog.getByRole("button", { name: "Save" }).click();
    await said(page, "saved as version 2");
    await page.locator(".to").getByText("For the web").waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await said(page, "Web basics is deleted");
    assert.deepEqual(
      (await server.call("GET", "/api/templates")).map(({ id }) => id),
      ["api"],
    );
  }));
