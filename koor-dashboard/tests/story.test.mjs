// The story of a task from events, audit entries and notes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { claimsOf, storyOf } from "../static/js/story.js";

const at = (minute) => `2026-11-30T10:${String(minute).padStart(2, "0")}:00.000Z`;
const event = (minute, kind, name = "", fence = 0) => ({
  topic: `$task.${kind}`,
  data: { name, fence },
  source: "",
  created_at: at(minute),
});
const entry = (minute, action, detail = {}, actor = "backend", outcome = "success") => ({
  action,
  actor,
  outcome,
  detail: JSON.stringify(detail),
  timestamp: at(minute),
});
const note = (minute, text, author = "backend") => ({ author, text, created_at: at(minute) });
const told = (story) => story.map(({ at: time, kind, text }) => [Number(time.slice(14, 16)), kind, text]);

test("what events and the audit log both tell is told once, with its note", () => {
  const story = storyOf({
    events: [
      event(1, "created", "controller"),
      event(1, "ready"),
      event(2, "claimed", "backend", 1),
      event(5, "done", "backend", 1),
    ],
    audit: [
      entry(1, "task.create", {}, ""),
      entry(2, "task.claim", { fence: 1 }),
      entry(5, "task.done", { status: "done", fence: 1 }),
    ],
    notes: [note(5, "works")],
  });
  assert.deepEqual(told(story), [
    [1, "created", ""],
    [1, "ready", ""],
    [2, "claimed", ""],
    [5, "done", "works"],
  ]);
  assert.deepEqual(
    story.map(({ who }) => who),
    ["controller", "", "backend", "backend"],
  );
});

test("the audit log tells what was pruned from the events, and nothing that was refused", () => {
  const story = storyOf({
    events: [event(9, "done", "backend", 2)],
    audit: [
      entry(1, "task.create", {}, "controller"),
      entry(2, "task.claim", { fence: 1 }),
      entry(3, "task.expire", { status: "open" }, "task-monitor"),
      entry(4, "task.claim", { fence: 2 }),
      entry(5, "task.done", {}, "frontend", "denied"),
    ],
    notes: [],
  });
  assert.deepEqual(
    story.map(({ kind }) => kind),
    ["created", "claimed", "expired", "claimed", "done"],
  );
});

test("a done task was approved if it was in review before, with notes between", () => {
  const events = [
    event(1, "claimed", "backend", 1),
    event(2, "review", "backend", 1),
    event(3, "noted", "ana"),
    event(4, "done", "reviewer", 1),
  ];
  const story = storyOf({ events, audit: [], notes: [note(3, "looks fine", "ana")] });
  assert.deepEqual(told(story), [
    [1, "claimed", ""],
    [2, "review", ""],
    [3, "noted", "looks fine"],
    [4, "approved", ""],
  ]);
});

test("a failure that is tried again is told from a release by the audit log", () => {
  const events = [
    event(1, "claimed", "a", 1),
    event(2, "released", "a", 2),
    event(3, "claimed", "a", 3),
    event(4, "released", "a", 4),
  ];
  const audit = [entry(2, "task.fail", { status: "open" }), entry(4, "task.release", {})];
  const story = storyOf({ events, audit, notes: [note(2, "no disk")] });
  assert.deepEqual(
    story.map(({ kind }) => kind),
    ["claimed", "retried", "claimed", "released"],
  );
  assert.equal(story[1].text, "no disk");
});

test("a note that no event tells of stands alone; details that are no JSON do no harm", () => {
  const audit = [{ ...entry(1, "task.create"), detail: "oops" }];
  assert.deepEqual(told(storyOf({ events: [], audit, notes: [note(2, "hm")] })), [
    [1, "created", ""],
    [2, "noted", "hm"],
  ]);
});

test("claims run from a claim to what ended it; the last one may still be held", () => {
  const events = [
    event(1, "claimed", "a", 1),
    event(4, "expired", "", 2),
    event(5, "ready"),
    event(6, "claimed", "b", 3),
    event(7, "noted", "b"),
  ];
  const claims = claimsOf(storyOf({ events, audit: [], notes: [] }));
  assert.deepEqual(claims, [
    { who: "a", fence: 1, from: at(1), to: at(4), outcome: "expired" },
    { who: "b", fence: 3, from: at(6), to: null, outcome: "" },
  ]);
});
