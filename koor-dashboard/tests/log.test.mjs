// What lists of events have in common.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answerTopic, commonProject, merged, unanswered } from "../static/js/log.js";
import { failingContracts } from "../static/js/pages/overview/troubles.js";

const ids = (events) => events.map(({ id }) => id);
const events = (...numbers) => numbers.map((id) => ({ id }));

test("an event that is read and also comes live is listed once", () => {
  assert.deepEqual(ids(merged(events(5, 4), events(4, 3, 2), 10)), [5, 4, 3, 2]);
  assert.deepEqual(ids(merged(events(5, 4), events(4, 3, 2), 3)), [5, 4, 3]);
  assert.deepEqual(ids(merged([], [], 3)), []);
});

test("the project is common only if all topics begin with it", () => {
  assert.equal(commonProject(["truck-wash.a.done", "truck-wash.b.request"]), "truck-wash.");
  assert.equal(
    commonProject(["agent.stale", "truck-wash.a.done", "compliance.violation", "truck-wash.b.done"]),
    "truck-wash.",
  );
  assert.equal(commonProject(["truck-wash.a.done", "car-park.a.done"]), "");
  assert.equal(commonProject(["truck-wash.a.done"]), "");
  assert.equal(commonProject(["done", "done"]), "");
  assert.equal(commonProject([]), "");
});

test("a request is answered by a yes or a no that names its id", () => {
  const requests = events(11, 12, 13);
  const answers = [{ data: { request: 12, note: "never" } }, { data: null }, { data: { request: "13" } }];
  assert.deepEqual(ids(unanswered(requests, answers)), [13, 11]);
});

test("an answer goes to the agent that asked", () => {
  assert.equal(answerTopic("truck-wash.frontend.request", "yes"), "truck-wash.controller.frontend.yes");
  assert.equal(answerTopic("a.b.frontend.request", "no"), "a.b.controller.frontend.no");
  assert.equal(answerTopic("frontend.request", "no"), "controller.frontend.no");
  assert.equal(answerTopic("request", "no"), "controller.no");
});

test("a contract fails while the newest run of any agent has failed", () => {
  const run = (instance_id, contract, pass) => ({ instance_id, project: "p", contract, pass });
  assert.equal(failingContracts([]), 0);
  assert.equal(failingContracts([run("a", "c", true), run("a", "c", false)]), 0);
  assert.equal(failingContracts([run("a", "c", false), run("b", "c", false), run("a", "d", true)]), 1);
  assert.equal(failingContracts([run("a", "c", true), run("b", "c", false), run("a", "d", false)]), 2);
});
