// Rules: decided on, written, tried, imported, exported.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";

import { closeBrowser, scene, settled } from "../harness.mjs";

after(closeBrowser);

const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();
const rule = (page, name) => page.locator(".rules-list .line", { hasText: name });
const proposal = {
  project: "wash",
  rule_id: "no-print",
  pattern: "\\bprint\\(",
  message: "Use the logger",
  context: "It shows up in release logs",
  proposed_by: "bob",
};

test("a proposal of another client shows with its context, and is accepted", () =>
  scene({ path: "/rules" }, async ({ server, page }) => {
    await page.getByText("No rules yet").waitFor();
    await server.call("POST", "/api/rules/propose", proposal);
    const item = page.locator(".proposal", { hasText: "no-print" });
    await item.getByText("It shows up in release logs").waitFor();
    await item.getByText("bob").waitFor();
    await page.locator(".nav .pending", { hasText: "1" }).waitFor();
    await item.getByRole("button", { name: "Accept no-print" }).click();
    await said(page, "no-print is in force now");
    await item.waitFor({ state: "detached" });
    await page.locator(".nav .pending").waitFor({ state: "hidden" });
    assert.equal((await server.call("GET", "/api/rules"))[0].status, "accepted");
  }));

test("a proposal is tried before it is decided on, and rejected", () =>
  scene(
    {
      path: "/rules",
      before: (server) => server.call("POST", "/api/rules/propose", proposal),
    },
    async ({ server, page }) => {
      await page.getByRole("link", { name: "Details of no-print" }).click();
      await page.getByLabel("Text to test it on").fill("fine\nx = print(1)\nprinter(2)");
      await page.locator(".marked tr.hit", { hasText: "x = print(1)" }).waitFor();
      assert.deepEqual(await page.locator(".marked mark").allInnerTexts(), ["print("]);
      assert.equal(await page.locator(".marked tr.hit th").innerText(), "2");
      await page.getByRole("button", { name: "Reject no-print" }).click();
      await said(page, "no-print is rejected");
      await page.locator(".rule-detail > header .badge", { hasText: "rejected" }).waitFor();
      assert.equal((await server.call("GET", "/api/rules"))[0].status, "rejected");
    },
  ));

test("a rule is added, tried while it is written, edited and deleted", () =>
  scene({ path: "/rules", forgive: /400|409/ }, async ({ server, page }) => {
    await page.getByRole("button", { name: "Add a rule" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Add" }).click();
    await dialog.getByText("Required.").first().waitFor();
    await dialog.getByLabel("Project").fill("wash");
    await dialog.getByLabel("Name").fill("no-todo");
    await dialog.getByLabel("Pattern").fill("TODO(");
    await dialog.getByLabel("Text to test it on").fill("a TODO here");
    await dialog
      .locator(".trial-found .problem", { hasText: "Opening parenthesis without closing parenthesis" })
      .waitFor();
    await dialog.getByLabel("Pattern").fill("TODO(?! TW-)");
    await dialog.locator(".marked mark", { hasText: "TODO" }).waitFor();
    assert.deepEqual(await server.call("GET", "/api/rules"), []);
    await dialog.getByLabel("Files").fill("*.rs, src/*");
    await dialog.getByRole("button", { name: "Add" }).click();
    await said(page, "wash/no-todo is in force now");

    await rule(page, "no-todo").click();
    await page.waitForURL("**/rules/wash/no-todo");
    await page.getByRole("button", { name: "Edit" }).click();
    await dialog.getByLabel("What it says").fill("Open a ticket");
    await server.call("POST", "/api/rules/import", [{ project: "wash", rule_id: "no-todo", pattern: "FIXME" }]);
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("This rule has changed meanwhile").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.locator(".rule-pattern", { hasText: "FIXME" }).waitFor();
    await page.getByRole("button", { name: "Edit" }).click();
    await dialog.getByLabel("What it says").fill("Open a ticket");
    await dialog.getByRole("button", { name: "Save" }).click();
    await said(page, "wash/no-todo is saved");
    const [saved] = await server.call("GET", "/api/rules");
    assert.deepEqual([saved.pattern, saved.message], ["FIXME", "Open a ticket"]);

    await page.getByRole("button", { name: "Add a rule" }).click();
    await dialog.getByLabel("Project").fill("wash");
    await dialog.getByLabel("Name").fill("no-todo");
    await dialog.getByLabel("Pattern").fill("x");
    await dialog.getByRole("button", { name: "Add" }).click();
    await dialog.getByText("There is a rule wash/no-todo already").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();

    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await server.call("GET", "/api/rules")).length, 1);
    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await said(page, "wash/no-todo is deleted");
    await page.getByText("No rules yet").waitFor();
  }));

test("rules are filtered by project, stack, source and status, and the address keeps it", () =>
  scene(
    {
      path: "/rules",
      before: async (server) => {
        await server.call("POST", "/api/rules/import", [
          { project: "a", rule_id: "alpha", pattern: "x", stack: "go", source: "local" },
          { project: "b", rule_id: "beta", pattern: "y", source: "learned" },
        ]);
        await server.call("POST", "/api/rules/propose", { project: "b", rule_id: "gamma", pattern: "needle" });
      },
    },
    async ({ page }) => {
      const shown = async (...names) => {
        await page.waitForFunction(
          (wanted) =>
            [...document.querySelectorAll(".rules-list .line .strong")].map((node) => node.textContent).join() ===
            wanted,
          names.join(),
        );
      };
      await shown("alpha", "beta", "gamma");
      await page.getByLabel("Project").selectOption("b");
      await shown("beta", "gamma");
      await page.getByLabel("Status").selectOption("proposed");
      await shown("gamma");
      await page.reload();
      await settled(page);
      await shown("gamma");
      assert.equal(new URL(page.url()).search, "?project=b&status=proposed");
      await page.getByLabel("Project").selectOption("");
      await page.getByLabel("Status").selectOption("");
      await page.getByLabel("Stack").selectOption("go");
      await shown("alpha");
      await page.getByLabel("Stack").selectOption("");
      await page.getByLabel("Source").selectOption("learned");
      await shown("beta", "gamma");
      await page.getByRole("searchbox").fill("NEEDLE");
      await shown("gamma");
      await page.getByRole("searchbox").fill("nothing has this");
      await page.getByText("No rule matches").waitFor();
    },
  ));

test("a text is held against the rules in force", () =>
  scene(
    {
      path: "/rules",
      before: (server) =>
        server.call("POST", "/api/rules/import", [
          { project: "wash", rule_id: "no-todo", pattern: "TODO", message: "open a ticket" },
          { project: "wash", rule_id: "licence", match_type: "missing", pattern: "SPDX", severity: "warning" },
          { project: "_global", rule_id: "no-tabs", match_type: "custom", pattern: "no-tabs", applies_to: ["*.rs"] },
        ]),
    },
    async ({ page }) => {
      await page.getByRole("link", { name: "Try a text" }).click();
      const text = page.getByLabel("Text to check");
      await text.fill(`one\n${"line\n".repeat(300)}a TODO b\n\ttabbed`);
      await page.locator(".marked tr.hit", { hasText: "open a ticket" }).waitFor();
      await page.locator(".trial-whole", { hasText: "licence" }).waitFor();
      assert.equal(await page.locator(".marked tr.hit").count(), 2);
      assert.ok((await page.locator(".marked tr").count()) < 12, "lines far from any finding are left out");
      await page.getByLabel("File name").fill("x.go");
      await page.getByRole("button", { name: "Check" }).click();
      await page.locator(".marked tr.hit", { hasText: "tabbed" }).waitFor({ state: "detached" });
      await text.fill("SPDX");
      await page.getByText("No rule matches this text").waitFor();
    },
  ));

test("rules leave as a file and come back from one", () =>
  scene(
    {
      path: "/rules",
      before: (server) =>
        server.call("POST", "/api/rules/import", [
          { project: "wash", rule_id: "no-todo", pattern: "TODO", source: "local" },
        ]),
      forgive: /400/,
    },
    async ({ server, page }) => {
      const dialog = page.getByRole("dialog");
      await page.getByRole("button", { name: "Export" }).click();
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        dialog.getByRole("button", { name: "Download" }).click(),
      ]);
      await said(page, "1 rule exported");
      const exported = JSON.parse(await readFile(await file.path(), "utf8"));
      assert.deepEqual(
        exported.map(({ rule_id }) => rule_id),
        ["no-todo"],
      );

      await page.getByRole("button", { name: "Import" }).click();
      await dialog.getByLabel("File with rules").setInputFiles({
        name: "rules.json",
        mimeType: "application/json",
        buffer: Buffer.from(JSON.stringify([...exported, { rule_id: "new", pattern: "(" }])),
      });
      await dialog.getByText("2 rules: 1 new, 1 that replace one.").waitFor();
      await dialog.getByLabel("Project, for rules that name none").fill("other");
      await dialog.getByRole("button", { name: "Import" }).click();
      await dialog.getByText("rule new: invalid pattern").waitFor();
      await dialog.getByLabel("Rules, as JSON").fill(JSON.stringify([...exported, { rule_id: "new", pattern: "x" }]));
      await dialog.getByRole("button", { name: "Import" }).click();
      await said(page, "2 rules imported");
      assert.deepEqual(
        (await server.call("GET", "/api/rules")).map(({ project, rule_id }) => `${project}/${rule_id}`),
        ["other/new", "wash/no-todo"],
      );
    },
  ));

test("five thousand rules are scrolled and searched without drawing them all", () =>
  scene(
    {
      path: "/rules",
      before: (server) =>
        server.call(
          "POST",
          "/api/rules/import",
          Array.from({ length: 5000 }, (_, n) => ({
            project: "wash",
            rule_id: `rule-${String(n).padStart(4, "0")}`,
            pattern: `word${n}`,
          })),
        ),
    },
    async ({ page }) => {
      await rule(page, "rule-0000").waitFor();
      assert.ok((await page.locator(".rules-list .line").count()) < 60);
      await page.locator(".rules-list").focus();
      await page.keyboard.press("End");
      await rule(page, "rule-4999").waitFor();
      await page.keyboard.press("Enter");
      await page.waitForURL("**/rules/wash/rule-4999");
      await page.getByRole("searchbox").fill("word1234");
      await rule(page, "rule-1234").waitFor();
    },
  ));
