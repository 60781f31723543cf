// What the board knows about tasks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, endsSoon, lacks, matches, newestFrom, partsOf, related, stateOf } from "../static/js/tasks.js";

const task = (number, more = {}) => ({
  number,
  title: `Task ${number}`,
  body: "",
  status: "open",
  ready: false,
  blocked_by: [],
  priority: 2,
  labels: [],
  needs: [],
  after: [],
  parent: null,
  assignee: null,
  claim: null,
  updated_at: "2026-11-30T10:00:00.000Z",
  ...more,
});
const numbers = (tasks) => tasks.map(({ number }) => number);

test("an open task is ready, blocked, or paused", () => {
  assert.equal(stateOf(task(1, { ready: true })), "ready");
  assert.equal(stateOf(task(1, { blocked_by: [2] })), "blocked");
  assert.equal(stateOf(task(1)), "paused");
  assert.equal(stateOf(task(1, { status: "review" })), "review");
});

test("open tasks stand in the order in which they are claimed, ended ones with the newest first", () => {
  const at = (minute) => `2026-11-30T10:0${minute}:00.000Z`;
  const columns = columnsOf([
    task(1, { blocked_by: [9], priority: 0 }),
    task(2),
    task(3, { ready: true }),
    task(4, { ready: true, priority: 1 }),
    task(5, { status: "done", updated_at: at(1) }),
    task(6, { status: "done", updated_at: at(2) }),
    task(7, { status: "cancelled", updated_at: at(3) }),
    task(8, { status: "failed", updated_at: at(1) }),
    task(9, { status: "review", updated_at: at(2) }),
    task(10, { status: "review", updated_at: at(1) }),
    task(11, { status: "claimed" }),
  ]);
  assert.deepEqual(Object.fromEntries([...columns].map(([id, tasks]) => [id, numbers(tasks)])), {
    open: [4, 3, 2, 1],
    claimed: [11],
    review: [10, 9],
    done: [6, 5],
    ended: [8, 7],
  });
});

test("a column has headings only where its tasks differ", () => {
  const ready = [task(1, { ready: true }), task(2, { ready: true })];
  assert.deepEqual(
    partsOf(ready).map(({ head }) => head),
    [""],
  );
  const parts = partsOf([...ready, task(3, { blocked_by: [1] })]);
  assert.deepEqual(
    parts.map(({ head, tasks }) => [head, numbers(tasks)]),
    [
      ["Ready", [1, 2]],
      ["Waiting for others", [3]],
    ],
  );
  assert.deepEqual(partsOf([]), []);
});

test("a task is related to what it waits for, to what waits for it, to its parts and to its whole", () => {
  const all = [task(1), task(2, { after: [1] }), task(3, { after: [2], parent: 4 }), task(4), task(5)];
  assert.deepEqual(related(all, 2), { before: new Set([1]), next: new Set([3]) });
  assert.deepEqual(related(all, 4), { before: new Set([3]), next: new Set() });
  assert.deepEqual(related(all, 3), { before: new Set([2]), next: new Set([4]) });
  assert.deepEqual(related(all, 5), { before: new Set(), next: new Set() });
  assert.deepEqual(related(all, 99), { before: new Set(), next: new Set() });
});

test("a filter takes text, a label, and an agent that holds or is assigned", () => {
  const held = task(12, { labels: ["ui"], title: "Slot picker", claim: { name: "frontend" } });
  for (const filter of [{}, { text: "PICK" }, { text: "#12" }, { text: "12" }, { label: "ui" }, { agent: "frontend" }])
    assert.equal(matches(held, filter), true, JSON.stringify(filter));
  for (const filter of [{ text: "1" }, { label: "api" }, { agent: "backend" }, { agent: "-" }])
    assert.equal(matches(held, filter), false, JSON.stringify(filter));
  assert.equal(matches(task(1), { agent: "-" }), true);
  assert.equal(matches(task(1, { assignee: "backend" }), { agent: "backend" }), true);
});

test("a claim ends soon only if its holder has been silent for longer than is left", () => {
  const now = Date.parse("2026-11-30T12:00:00.000Z");
  const minutes = (n) => new Date(now + n * 60_000).toISOString();
  const claim = (from, to) => ({ claimed_at: minutes(from), expires_at: minutes(to) });
  assert.equal(endsSoon(claim(-60, 4), minutes(-56), now), true);
  assert.equal(endsSoon(claim(-60, 4), minutes(-1), now), false, "it works with short leases");
  assert.equal(endsSoon(claim(-60, 6), minutes(-54), now), false, "there is time");
  assert.equal(endsSoon(claim(-1, 4), undefined, now), false, "it was claimed just now");
  assert.equal(endsSoon(claim(-20, -1), undefined, now), true, "it has ended");
});

test("an agent lacks the capabilities that it does not list", () => {
  assert.deepEqual(lacks(task(1, { needs: ["sql", "review"] }), { capabilities: ["sql"] }), ["review"]);
});

test("the newest tasks are read from a number on that leaves enough of them", () => {
  assert.equal(newestFrom(30, 20, 40), 0);
  assert.equal(newestFrom(10_000, 10_000, 40), 9_920);
  assert.equal(newestFrom(10_000, 100, 40), 2_000);
  assert.equal(newestFrom(50, 45, 40), 0);
});
