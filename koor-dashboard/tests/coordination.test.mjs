// Leases as a tree, addresses of agents, receipts of messages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { agentsOf, mailboxes, parts, projectOf } from "../static/js/addresses.js";
import { remaining, span } from "../static/js/format.js";
import { leaseRows } from "../static/js/lease-tree.js";
import { stepOf, urgentCandidates, waits } from "../static/js/messages.js";

const lease = (id, ...paths) => ({ id, paths });
const shown = (rows) =>
  rows.map(({ depth, name, inside, lease: of }) => `${" ".repeat(depth)}${name}${of ? ` ${of.id}` : ` (${inside})`}`);

test("leased paths are a tree; folders with a single folder in them are one row", () => {
  const leases = [
    lease(1, "src/auth/login.rs", "docs/*.md"),
    lease(2, "src/auth/**"),
    lease(3, "Cargo.toml"),
    lease(4, "a/b/c/d.rs"),
  ];
  assert.deepEqual(shown(leaseRows(leases, new Set())), [
    "a/b/c/ (1)",
    " d.rs 4",
    "docs/ (1)",
    " *.md 1",
    "src/auth/ (2)",
    " ** 2",
    " login.rs 1",
    "Cargo.toml 3",
  ]);
});

test("a closed folder hides what is in it and says how much that is", () => {
  const leases = [lease(1, "src/a/x"), lease(2, "src/b/y", "src/z")];
  assert.deepEqual(shown(leaseRows(leases, new Set(["src/"]))), ["src/ (3)"]);
  assert.deepEqual(shown(leaseRows(leases, new Set(["src/a/"]))), ["src/ (3)", " a/ (1)", " b/ (1)", "  y 2", " z 2"]);
});

test("rows of several leases on one path have different ids", () => {
  const rows = leaseRows([lease(1, "a/b"), lease(2, "a/b")], new Set());
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
});

test("the project of an agent is its workspace, or the last segment of it", () => {
  for (const [workspace, project] of [
    ["Truck-Wash", "Truck-Wash"],
    ["/home/ana/work/Truck-Wash", "Truck-Wash"],
    ["/home/ana/work/Truck-Wash//", "Truck-Wash"],
    ["", ""],
    ["/", ""],
    [`/a/${"x".repeat(201)}`, ""],
  ])
    assert.equal(projectOf(workspace), project, workspace);
});

test("an address is split at its first slash", () => {
  assert.deepEqual(parts("Truck-Wash/team/backend"), { project: "Truck-Wash", name: "team/backend" });
  assert.deepEqual(parts("backend"), { project: "", name: "backend" });
});

test("of instances with one name, the one that was heard of last stands for the agent", () => {
  const agent = (id, name, workspace, last_seen) => ({ id, name, workspace, last_seen });
  const all = [
    agent(1, "agent-10", "p", "2"),
    agent(2, "agent-2", "p", "1"),
    agent(3, "agent-2", "/x/p", "3"),
    agent(4, "other", "q", "9"),
    agent(5, "roaming", "", "1"),
  ];
  assert.deepEqual(
    agentsOf(all, "p").map(({ id }) => id),
    [3, 1, 5],
  );
  const sent = [{ data: { recipients: ["p/gone", "p/agent-2"] } }];
  assert.deepEqual(
    mailboxes(all, sent).map(({ address }) => address),
    ["p/agent-2", "p/agent-10", "p/gone", "q/other"],
  );
});

test("a receipt waits for an acknowledgement where one is asked for, else to be read", () => {
  const receipt = { stored_at: "1", surfaced_at: "2", read_at: "3", acked_at: null };
  assert.equal(stepOf(receipt), 2);
  assert.equal(stepOf({ stored_at: "1" }), 0);
  assert.equal(waits({ ack: true }, receipt), true);
  assert.equal(waits({ ack: false }, receipt), false);
  assert.equal(waits({ ack: false }, { ...receipt, read_at: null }), true);
});

test("urgent messages that every recipient has acknowledged are no candidates", () => {
  const sent = (id, urgent, ...recipients) => ({ data: { id, urgent, recipients } });
  const ack = (id, project, name) => ({ data: { id, project, name } });
  const all = [sent(1, true, "p/a", "p/b"), sent(2, true, "p/a"), sent(3, false, "p/a"), sent(4, true, "p/a")];
  assert.deepEqual(urgentCandidates(all, [ack(1, "p", "a"), ack(2, "p", "a"), ack(4, "q", "a")]), [4, 1]);
});

test("a span has its two largest units", () => {
  const [minute, hour] = [60_000, 3_600_000];
  assert.deepEqual([999, 45_000, 12 * minute, hour, hour + 56 * minute, 24 * hour, 76 * hour, -5].map(span), [
    "0 s",
    "45 s",
    "12 min",
    "1 h",
    "1 h 56 min",
    "1 d",
    "3 d 4 h",
    "0 s",
  ]);
  assert.equal(remaining("2000-01-01T00:00:00Z"), "ended");
  assert.match(remaining(new Date(Date.now() + 90_500).toISOString()), /^1 min left$/);
});
