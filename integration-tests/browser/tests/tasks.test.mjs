// The board and the page of a task: live, by mouse and by keyboard, on a phone, and with hostile texts.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { closeBrowser, scene, settled } from "../harness.mjs";

after(closeBrowser);

const PROJECT = "Truck-Wash";
const BOARD = `/tasks/${PROJECT}`;
const said = (page, text) => page.locator(".toast", { hasText: text }).waitFor();
const card = (page, number) => page.locator(`.task-card[data-number="${number}"]`);
const inColumn = (page, id, number) => page.locator(`.column-${id} .task-card[data-number="${number}"]`).waitFor();
const task = (server, number) => server.call("GET", `/api/tasks/${PROJECT}/${number}`);
const act = (server, number, verb, by, body = {}) =>
  server.call("POST", `/api/tasks/${PROJECT}/${number}/${verb}`, body, { by: by?.id });
const claim = (server, by, body = {}) => server.call("POST", `/api/tasks/${PROJECT}/claim`, body, { by: by.id });
// One by one, so that a task may come after an earlier one by its number.
async function create(server, ...tasks) {
  const made = [];
  for (const one of tasks) made.push(await server.call("POST", `/api/tasks/${PROJECT}`, one));
  return made;
}

test("a task that others create, claim and finish moves over the board by itself", () =>
  scene({ path: BOARD }, async ({ server, page }) => {
    await page.getByText(`No tasks in ${PROJECT} yet`).waitFor();
    const backend = await server.agent("backend", { workspace: PROJECT });
    await create(server, { title: "Book a place", review: true }, { title: "Tell the driver", after: [1] });
    await inColumn(page, "open", 1);
    assert.equal(await card(page, 2).locator(".refs").innerText(), "waits for\n1");
    await claim(server, backend);
    await inColumn(page, "claimed", 1);
    await card(page, 1).getByText("backend").waitFor();
    await card(page, 1)
      .getByText(/^1[45] min left$/)
      .waitFor();
    await act(server, 1, "done", backend);
    await inColumn(page, "review", 1);
    await act(server, 1, "approve");
    await inColumn(page, "done", 1);
    await card(page, 2).getByText("1✓").waitFor();
  }));

test("a card that is dropped on an agent is assigned to it, and one that is claimed asks first", () =>
  scene(
    {
      path: BOARD,
      before: async (server) => {
        await server.agent("backend", { workspace: `/home/ana/${PROJECT}` });
        const frontend = await server.agent("frontend", { workspace: PROJECT });
        await server.agent("stranger", { workspace: "Other" });
        await create(server, { title: "One", priority: 0 }, { title: "Two" });
        await claim(server, frontend);
      },
    },
    async ({ server, page }) => {
      const agent = (name) => page.locator(".agent-target", { hasText: name });
      await agent("any agent").waitFor();
      assert.equal(await agent("stranger").count(), 0);
      await card(page, 2).dragTo(agent("backend"));
      await said(page, "Task 2 is assigned to backend.");
      assert.equal((await task(server, 2)).assignee, "backend");
      await card(page, 2).getByText("backend").waitFor();
      await card(page, 2).dragTo(agent("any agent"));
      await said(page, "Any agent can claim task 2 now.");
      assert.equal((await task(server, 2)).assignee, null);

      await card(page, 1).dragTo(agent("backend"));
      await page.getByRole("dialog").getByText("frontend is working on task 1").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      assert.equal((await task(server, 1)).claim.name, "frontend");
      await card(page, 1).dragTo(agent("backend"));
      await page.getByRole("dialog").getByRole("button", { name: "Assign to backend" }).click();
      await inColumn(page, "open", 1);
      const { claim: held, assignee } = await task(server, 1);
      assert.deepEqual([held, assignee], [null, "backend"]);
    },
  ));

async function twoInReview(server) {
  const backend = await server.agent("backend", { workspace: PROJECT });
  await server.agent("frontend", { workspace: PROJECT });
  await create(
    server,
    { title: "One", review: true },
    { title: "Two", review: true },
    { title: "Three", needs: ["sql"] },
  );
  for (const number of [1, 2]) {
    await claim(server, backend, { number });
    await act(server, number, "done", backend);
  }
}

test("what is in review is approved or sent back in place", () =>
  scene({ path: BOARD, before: twoInReview }, async ({ server, page }) => {
    await page.getByRole("button", { name: "Approve task 1" }).click();
    await said(page, "Task 1 is done.");
    await inColumn(page, "done", 1);
    await page.getByRole("button", { name: "Send back task 2" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send back" }).click();
    await page.getByText("Required.").waitFor();
    await page.getByLabel("What is missing").fill("A test");
    await page.getByRole("dialog").getByRole("button", { name: "Send back" }).click();
    await inColumn(page, "open", 2);
    const { status, assignee, reason } = await task(server, 2);
    assert.deepEqual({ status, assignee, reason }, { status: "open", assignee: "backend", reason: "A test" });
  }));

test("the board needs no mouse: arrows move, a assigns, y approves, n sends back, Enter opens", () =>
  scene({ path: BOARD, before: twoInReview }, async ({ server, page }) => {
    const here = () => page.evaluate(() => document.activeElement.closest(".task-card")?.dataset.number);
    await card(page, 3).waitFor();
    await page.keyboard.press("j");
    assert.equal(await here(), "3");
    await page.keyboard.press("a");
    await page.getByRole("dialog").getByText("lacks sql").first().waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "frontend" }).focus();
    await page.keyboard.press("Enter");
    await said(page, "Task 3 is assigned to frontend.");
    await card(page, 3).getByText("frontend").waitFor();
    assert.equal(await here(), "3", "the focus stays on a card that is drawn anew");
    await page.keyboard.press("ArrowRight");
    assert.equal(await here(), "1");
    await page.keyboard.press("ArrowDown");
    assert.equal(await here(), "2");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("y");
    await inColumn(page, "done", 1);
    await page.waitForFunction(() => document.activeElement.closest(".task-card")?.dataset.number === "1");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await here(), "2");
    await page.keyboard.press("n");
    await page.getByLabel("What is missing").fill("More");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    assert.equal((await task(server, 2)).status, "review");
    assert.equal(await here(), "2");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "#2 Two" }).waitFor();
  }));

test("pointing at a card marks what it waits for and what waits for it, with lines", () =>
  scene(
    {
      path: BOARD,
      before: (server) =>
        create(
          server,
          { title: "One" },
          { title: "Two", after: [1] },
          { title: "Three", after: [2] },
          { title: "Four" },
        ),
    },
    async ({ page }) => {
      await card(page, 2).hover();
      await page.locator(".links path.before").waitFor({ state: "attached" });
      const marked = () =>
        page.evaluate(() =>
          [...document.querySelectorAll(".task-card")].map((one) => [
            one.dataset.number,
            ["before", "pointed", "next"].filter((word) => one.classList.contains(word)).join(),
          ]),
        );
      assert.deepEqual(Object.fromEntries(await marked()), { 1: "before", 2: "pointed", 3: "next", 4: "" });
      assert.equal(await page.locator(".links path").count(), 2);
      await card(page, 4).hover();
      assert.equal(await page.locator(".links path").count(), 0);
    },
  ));

test("filters are in the address, and Back takes them away", () =>
  scene(
    {
      path: BOARD,
      before: (server) => create(server, { title: "Slot picker", labels: ["ui"] }, { title: "Index", labels: ["api"] }),
    },
    async ({ server, page }) => {
      await page.getByLabel("Label", { exact: true }).selectOption("ui");
      await card(page, 2).waitFor({ state: "detached" });
      assert.match(page.url(), /label=ui/);
      await page.goto(`${server.dashboard}${BOARD}?text=index`);
      await settled(page);
      await card(page, 2).waitFor();
      assert.equal(await card(page, 1).count(), 0);
      assert.match(await page.locator(".column-open header").innerText(), /1 of 2/);
    },
  ));

test("a task is created and edited by its form; what another writer changed meanwhile is not overwritten", () =>
  scene({ path: "/tasks", forgive: /412/ }, async ({ server, page }) => {
    await page.getByRole("button", { name: "New task" }).click();
    await page.getByLabel("Project").fill(PROJECT);
    await page.getByRole("textbox", { name: "Title" }).fill("Book a place");
    await page.getByLabel("After (numbers)").fill("x");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("Numbers of tasks, such as 3, 7.").waitFor();
    await page.getByLabel("After (numbers)").fill("");
    await page.getByLabel("Labels").fill("ui, api");
    await page.getByRole("button", { name: "Create" }).click();
    await said(page, "Task 1 is there.");
    const { title, labels, priority } = await task(server, 1);
    assert.deepEqual({ title, labels, priority }, { title: "Book a place", labels: ["ui", "api"], priority: 2 });

    await page.goto(`${server.dashboard}${BOARD}/1`);
    await settled(page);
    await page.getByRole("button", { name: "Edit" }).click();
    await server.call("PATCH", `/api/tasks/${PROJECT}/1`, { title: "Changed elsewhere" });
    await page.getByRole("textbox", { name: "Title" }).fill("Mine");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".form-foot .problem").waitFor();
    assert.equal((await task(server, 1)).title, "Changed elsewhere");
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { level: 1, name: "Changed elsewhere" }).waitFor();
  }));

test("the page of a task tells its story from the first line to the last, and goes on", () =>
  scene(
    {
      path: `${BOARD}/1`,
      before: async (server) => {
        const backend = await server.agent("backend", { workspace: PROJECT });
        await create(server, { title: "One", max_attempts: 2 }, { title: "Two", after: [1] });
        await claim(server, backend);
        await act(server, 1, "fail", backend, { reason: "no disk" });
      },
    },
    async ({ server, page }) => {
      const story = () => page.locator(".story > li p:first-child").allInnerTexts();
      const lines = (await story()).map((line) => line.replace(/\s*(now|\d+ s ago)$/, ""));
      assert.deepEqual(lines, [
        "An admin created the task",
        "It is ready: agents can claim it",
        "backend claimed it fence 1",
        "backend failed; the next attempt follows",
      ]);
      assert.equal(await page.locator(".story-text").innerText(), "no disk");
      await page.locator(".claims li", { hasText: "retried" }).waitFor();
      await page.getByLabel("Add a note").fill("Use the other disk");
      await page.getByRole("button", { name: "Add" }).click();
      await page.locator(".story-text", { hasText: "Use the other disk" }).waitFor();
      assert.equal(await page.getByLabel("Add a note").inputValue(), "");
      assert.equal((await server.call("GET", `/api/tasks/${PROJECT}/1/notes`)).at(-1).text, "Use the other disk");
      await page.getByRole("link", { name: "#2 Two" }).click();
      await page.getByText("Agents can claim it once").waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByLabel("Reason").fill("not needed");
      await page.getByRole("button", { name: "Cancel the task" }).click();
      await page.getByRole("button", { name: "Reopen" }).click();
      await said(page, "Task 2 is open again.");
      assert.equal((await task(server, 2)).status, "open");
    },
  ));

test("on a phone one column is shown at a time, and a button assigns", () =>
  scene(
    { path: BOARD, before: twoInReview, viewport: { width: 390, height: 780 }, hasTouch: true },
    async ({ server, page }) => {
      await card(page, 3).waitFor();
      assert.equal(await card(page, 1).isVisible(), false);
      await page.getByRole("button", { name: "Assign task 3" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "backend" }).click();
      await said(page, "Task 3 is assigned to backend.");
      await page.getByRole("button", { name: "Review 2" }).click();
      await page.getByRole("button", { name: "Approve task 1" }).click();
      await said(page, "Task 1 is done.");
      assert.equal((await task(server, 1)).status, "done");
      for (const path of [BOARD, `${BOARD}/1`, "/leases", "/messages"]) {
        await page.goto(server.dashboard + path);
        await settled(page);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${path} is ${overflow} px too wide`);
      }
    },
  ));

test("texts of tasks, leases and messages that are markup stay texts, and long ones stay in their place", () => {
  const evil = "<img src=x onerror=alert(1)> \u202eevil\u202c";
  const long = "x".repeat(190);
  return scene(
    {
      before: async (server) => {
        for (const name of [evil, long]) {
          const agent = await server.agent(name, { workspace: PROJECT });
          const [{ number }] = await create(server, {
            title: name,
            body: evil,
            labels: [name.slice(0, 60)],
            review: true,
          });
          await claim(server, agent, { number });
          await act(server, number, "notes", agent, { text: evil });
          await server.call(
            "POST",
            `/api/leases/${PROJECT}`,
            { paths: [`a/${long}/${number}`], reason: evil, task: number },
            { by: agent.id },
          );
          await server.call(
            "POST",
            "/api/messages",
            { to: [`${PROJECT}/${name}`], subject: name, body: evil, urgent: true },
            { by: agent.id },
          );
        }
        await act(server, 1, "done", { id: (await task(server, 1)).claim.instance_id }, { result: { [evil]: evil } });
      },
    },
    async ({ server, page }) => {
      const views = [
        "/",
        BOARD,
        `${BOARD}/1`,
        `${BOARD}/2`,
        `/leases/${PROJECT}`,
        "/messages",
        `/messages/${PROJECT}/${encodeURIComponent(evil)}`,
      ];
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 800 });
        for (const path of views) {
          await page.goto(server.dashboard + path);
          await settled(page);
          const [images, overflow] = await page.evaluate(() => [
            document.querySelectorAll("main img, main script, main iframe").length,
            document.documentElement.scrollWidth - innerWidth,
          ]);
          assert.equal(images, 0, path);
          assert.ok(overflow <= 0, `${path} is ${overflow} px too wide at ${width}`);
        }
      }
    },
  );
});
