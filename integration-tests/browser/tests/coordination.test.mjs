// Leases as a tree, inboxes with receipts, and what the overview says is stuck.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { closeBrowser, scene, settled } from "../harness.mjs";

after(closeBrowser);

const PROJECT = "Truck-Wash";
const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();
const agent = (server, name) => server.agent(name, { workspace: PROJECT });
const lease = (server, by, ...paths) => server.call("POST", `/api/leases/${PROJECT}`, { paths }, { by: by.id });
const send = (server, by, body) => server.call("POST", "/api/messages", body, { by: by.id });

test("leased paths are a tree that follows what agents take and give back; an admin ends a lease", () =>
  scene({ path: `/leases/${PROJECT}` }, async ({ server, page }) => {
    await page.getByText("No path is leased").waitFor();
    const [frontend, backend] = [await agent(server, "frontend"), await agent(server, "backend")];
    const { id } = await lease(server, frontend, "src/auth/login.rs", "docs/*.md");
    await lease(server, backend, "src/slots");
    const rows = async () =>
      (await page.locator(".lease-tree .line").allInnerTexts()).map((text) => text.split("\n")[0].trim());
    await page.getByRole("treeitem", { name: "slots" }).waitFor();
    const names = await page.locator(".lease-tree .line .mono").allInnerTexts();
    assert.deepEqual(names, ["docs/", "*.md", "src/", "auth/", "login.rs", "slots"]);
    await page.getByRole("treeitem", { name: "login.rs" }).getByText("frontend").waitFor();
    await page
      .getByRole("treeitem", { name: "login.rs" })
      .getByText(/^(29|30) min left$/)
      .waitFor();

    await page.getByRole("treeitem", { name: "src/" }).click();
    await page.getByRole("treeitem", { name: "slots" }).waitFor({ state: "detached" });
    await page.getByRole("treeitem", { name: "src/" }).getByText("2 leases").waitFor();
    await page.locator(".lease-tree").focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("treeitem", { name: "slots" }).waitFor();

    await page
      .getByRole("button", { name: `End lease ${id} of frontend` })
      .first()
      .click();
    await page.getByRole("dialog").getByText("src/auth/login.rs, docs/*.md").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "End the lease" }).click();
    await said(page, `Lease ${id} has ended.`);
    await page.getByRole("treeitem", { name: "login.rs" }).waitFor({ state: "detached" });
    assert.equal((await rows()).length, 2);
    const audit = await server.call("GET", "/api/audit?action=lease.break");
    assert.equal(audit.length, 1);
  }));

test("a path shows which leases cover it, and a pattern that does not parse is refused with a word", () =>
  scene(
    {
      path: `/leases/${PROJECT}`,
      before: async (server) => {
        await lease(server, await agent(server, "frontend"), "src/**/*.rs");
        await lease(server, await agent(server, "backend"), "docs");
      },
      forgive: /400/,
    },
    async ({ page }) => {
      const field = page.getByRole("searchbox");
      await field.fill("src/auth/login.rs");
      await page.getByText("1 lease on src/auth/login.rs").waitFor();
      await page.getByRole("treeitem", { name: "docs" }).waitFor({ state: "detached" });
      await field.fill("src/auth/login.ts");
      await page.getByRole("strong").or(page.getByText("src/auth/login.ts is free")).first().waitFor();
      await field.fill("/etc/passwd");
      await page.locator(".wrong", { hasText: /\S/ }).waitFor();
    },
  ));

test("an inbox shows how far each message has come, while it comes", () =>
  scene(
    {
      path: `/messages/${PROJECT}/backend`,
      before: async (server) => {
        await agent(server, "backend");
        await agent(server, "frontend");
      },
    },
    async ({ server, page }) => {
      await page.getByText("backend has no messages").waitFor();
      const instances = await server.call("GET", "/api/instances");
      const [backend, frontend] = ["backend", "frontend"].map((name) => instances.find((one) => one.name === name));
      const { id } = await send(server, frontend, {
        to: ["backend"],
        subject: "Status?",
        body: "Which one?",
        ack: true,
        urgent: true,
      });
      const message = page.locator(".message", { hasText: "Status?" });
      const reached = () => message.locator(".step.reached").allInnerTexts();
      await message.waitFor();
      assert.deepEqual(await reached(), ["stored"]);
      await page.locator(".mailboxes .chosen").getByText("urgent").waitFor();
      await server.call("GET", "/api/brief", undefined, { by: backend.id });
      await server.call("POST", "/api/events/publish", { topic: "truck-wash.backend.busy" }, { by: backend.id });
      await message.locator(".step.reached", { hasText: "shown" }).waitFor();
      await server.call("POST", `/api/messages/${id}/ack`, {}, { by: backend.id });
      await message.locator(".step.reached", { hasText: "acknowledged" }).waitFor();
      assert.deepEqual(await reached(), ["stored", "shown", "read", "acknowledged"]);
      assert.equal(await page.locator(".mailboxes .badge").count(), 0);

      await message.locator(".message-head").click();
      await message.locator(".receipts tbody th", { hasText: "backend" }).waitFor();
      await page.getByRole("link", { name: "Sent" }).click();
      await page.getByText("backend has sent nothing").waitFor();
      await page.locator(".mailbox", { hasText: "frontend" }).click();
      await page.getByRole("link", { name: "Sent" }).click();
      await page.locator(".message", { hasText: "Which one?" }).waitFor();
    },
  ));

test("a message is sent from the page; an unknown name is refused with those there are", () =>
  scene(
    { path: "/messages", before: (server) => agent(server, "backend"), forgive: /400/ },
    async ({ server, page }) => {
      await page.getByRole("button", { name: "Send a message" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("To").fill("nobody");
      await dialog.getByLabel("Message", { exact: true }).fill("Stop the job");
      await dialog.getByRole("button", { name: "Send" }).click();
      await dialog.locator(".problem", { hasText: "backend" }).waitFor();
      await dialog.getByLabel("To").fill("backend");
      await dialog.getByLabel("Ask for an acknowledgement").check();
      await dialog.getByRole("button", { name: "Send" }).click();
      await said(page, `The message went to ${PROJECT}/backend.`);
      const [message] = await server.call("GET", `/api/messages?agent=${PROJECT}/backend`);
      assert.deepEqual([message.body, message.ack, message.urgent], ["Stop the job", true, false]);
      await page.locator(".message", { hasText: "waits for ack" }).waitFor();
    },
  ));

test("the overview says what is stuck, and nothing once it is not", () =>
  scene({ server: { flags: ["--stale-after", "2s"] } }, async ({ server, page }) => {
    const stuck = page.locator(".stuck");
    assert.equal(await stuck.isVisible(), false);
    const [frontend, backend] = [await agent(server, "frontend"), await agent(server, "backend")];
    const make = (...tasks) => server.call("POST", `/api/tasks/${PROJECT}`, tasks);
    await make({ title: "Falls silent" }, { title: "Fails" });
    const claim = (by, body) => server.call("POST", `/api/tasks/${PROJECT}/claim`, body, { by: by.id });
    await claim(backend, { number: 2 });
    await server.call("POST", `/api/tasks/${PROJECT}/2/fail`, { reason: "no disk", retry: false }, { by: backend.id });
    await stuck.locator("li", { hasText: "Fails" }).getByText("no disk").waitFor();

    const { id } = await send(server, backend, { to: ["frontend"], body: "Stop the job", urgent: true, ack: true });
    await stuck.locator("li", { hasText: "Stop the job" }).getByText("frontend").waitFor();

    await claim(frontend, { number: 1, lease: "60s" });
    await page.waitForTimeout(2500);
    await server.call("POST", "/api/liveness/check");
    await stuck.locator("li", { hasText: "no signal for" }).getByText("Falls silent").waitFor({ timeout: 20_000 });

    await server.call("POST", `/api/messages/${id}/ack`, {}, { by: frontend.id });
    await stuck.locator("li", { hasText: "Stop the job" }).waitFor({ state: "detached" });
    await server.call("POST", `/api/tasks/${PROJECT}/1/done`, {}, { by: frontend.id });
    await stuck.locator("li", { hasText: "Falls silent" }).waitFor({ state: "detached" });
    await stuck.getByRole("button", { name: "Reopen" }).click();
    await said(page, "Task 2 is open again.");
    await stuck.waitFor({ state: "hidden" });
  }));

test("a claim that is about to end is stuck; a task in review waits for you", () =>
  scene({}, async ({ server, page }) => {
    const backend = await agent(server, "backend");
    await server.call("POST", `/api/tasks/${PROJECT}`, [{ title: "Short" }, { title: "Look at me", review: true }]);
    const claim = (body) => server.call("POST", `/api/tasks/${PROJECT}/claim`, body, { by: backend.id });
    await claim({ number: 2 });
    await server.call("POST", `/api/tasks/${PROJECT}/2/done`, {}, { by: backend.id });
    const waiting = page.locator(".waiting li", { hasText: "Look at me" });
    await waiting.getByRole("button", { name: "Approve" }).click();
    await said(page, "Task 2 is done.");
    await waiting.waitFor({ state: "detached" });
    await claim({ number: 1, lease: "10s" });
    // Half of the ten seconds have to pass; an event of another makes the page look again.
    await page.waitForTimeout(6000);
    await server.call("POST", "/api/events/publish", { topic: "truck-wash.tick" });
    await page.locator(".stuck li", { hasText: "Short" }).getByText("claim ends").waitFor();
    await settled(page);
  }));

test("the page of an agent shows what it has in hand", () =>
  scene({}, async ({ server, page }) => {
    const backend = await agent(server, "backend");
    await page.goto(`${server.dashboard}/agents/${backend.id}`);
    await page.getByRole("heading", { level: 1, name: "backend" }).waitFor();
    const hand = page.locator("section", { has: page.getByRole("heading", { name: "In hand" }) });
    assert.equal(await hand.isVisible(), false);
    await server.call("POST", `/api/tasks/${PROJECT}`, [{ title: "Mine" }, { title: "For me", assignee: "backend" }]);
    await server.call("POST", `/api/tasks/${PROJECT}/claim`, { number: 1 }, { by: backend.id });
    await lease(server, backend, "src/slots");
    await server.call("POST", "/api/messages", { to: [`${PROJECT}/backend`], body: "Hello" });
    for (const text of ["Mine", "For me", "src/slots", "1 unread message"]) await hand.getByText(text).waitFor();
  }));

test("an agent that signs in with its own token sees its own inbox, and no other", () =>
  scene({ server: { token: "s3cret" }, forgive: /40[13]/ }, async ({ server, page }) => {
    const backend = await server.call("POST", "/api/instances/register", { name: "backend", workspace: PROJECT });
    await server.call("POST", "/api/instances/register", { name: "frontend", workspace: PROJECT });
    await server.call("POST", "/api/messages", { to: [`${PROJECT}/backend`], body: "For you" });
    await server.call("POST", "/api/messages", { to: [`${PROJECT}/frontend`], body: "Not for you" });
    await page.getByLabel("Server token").fill(backend.token);
    await page.keyboard.press("Enter");
    await settled(page);
    await page.locator('.nav a[href="/messages"]').click();
    await page.locator(".message", { hasText: "For you" }).waitFor();
    assert.deepEqual(await page.locator(".mailbox .strong").allInnerTexts(), ["backend"]);
    for (const path of ["/", "/tasks", "/leases"]) {
      await page.goto(server.dashboard + path);
      await settled(page);
      assert.equal(await page.locator(".page > .problem").count(), 0, path);
    }
  }));
