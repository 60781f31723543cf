// What is stuck: claims that are about to end, failed tasks, urgent messages that wait, agents that went stale with claims.

import { get, serverNow } from "../../api.js";
import { ago, badge, button, flushPanel, left } from "../../components/basics.js";
import { chooseAgent, reopen } from "../../components/task-actions.js";
import { person, taskLink } from "../../components/task-bits.js";
import { agentsOf } from "../../addresses.js";
import { h, replace, setText } from "../../dom.js";
import { plural } from "../../format.js";
import { urgentCandidates, waits } from "../../messages.js";
import { endsSoon } from "../../tasks.js";

/** The topics after which it may look different. */
export const STUCK_TOPICS = ["$task.*", "$message.*", "$instance.*", "agent.stale"];

// Projects that are looked into, those with the most tasks in work first; and so many tasks and messages of each kind.
const PROJECTS = 20;
const CLAIMED = 200;
const FAILED = 20;
const SENT = 500;
const URGENT = 20;
// So many of each kind are shown; the rest is a number and a link.
const SHOWN = 5;

/** The panel: its element, which is hidden while nothing is stuck, and `load(signal)`, which reads it anew. */
export function stuckPanel() {
  const body = h("ul.decisions");
  const number = h("span.badge.count", { hidden: true });
  const element = flushPanel(
    h(".row", h("h2", "Stuck"), number),
    h("span.small", h("a", { href: "/tasks" }, "Board")),
    body,
  );
  element.classList.add("stuck");
  element.hidden = true;
  // Messages that every recipient has dealt with: their receipts never change back.
  const settled = new Set();

  async function load(signal) {
    const [instances, { projects }, urgent] = await Promise.all([
      get("/api/instances", { signal }),
      get("/api/tasks", { signal }),
      waitingMessages(settled, signal),
    ]);
    const agents = new Map(instances.map((agent) => [agent.id, agent]));
    const [claimed, failed] = await Promise.all([
      tasks(projects, "claimed", CLAIMED, signal),
      tasks(projects, "failed", FAILED, signal),
    ]);
    const now = serverNow();
    const seen = ({ claim }) => agents.get(claim.instance_id)?.last_seen;
    const ending = claimed.filter((task) => endsSoon(task.claim, seen(task), now));
    const stale = Map.groupBy(
      claimed.filter(({ claim }) => agents.get(claim.instance_id)?.status === "stale"),
      ({ claim }) => claim.instance_id,
    );
    const failures = projects.reduce((sum, { failed: n }) => sum + n, 0);
    const n = urgent.length + ending.length + stale.size + failures;
    setText(number, String(n));
    number.hidden = n === 0;
    element.hidden = n === 0;
    const choose = (task) => chooseAgent(task, agentsOf(instances, task.project), new Map());
    replace(
      body,
      urgent.slice(0, SHOWN).map(message),
      [...stale].slice(0, SHOWN).map(([id, held]) => silent(agents.get(id), held)),
      ending.slice(0, SHOWN).map((task) => endingClaim(task, seen(task), choose)),
      failed.slice(0, SHOWN).map(failure),
      failures > SHOWN &&
        h("li.decision", h("a.small", { href: "/tasks" }, plural(failures - SHOWN, "more failed task"))),
    );
  }
  return { element, load };
}

async function tasks(projects, status, limit, signal) {
  const some = projects
    .filter((counts) => counts[status] > 0)
    .sort((a, b) => b[status] - a[status])
    .slice(0, PROJECTS);
  const lists = await Promise.all(
    some.map(({ project }) => get(`/api/tasks/${encodeURIComponent(project)}`, { query: { status, limit }, signal })),
  );
  return lists.flat();
}

/** Urgent messages that a recipient has not dealt with, each with the receipts that wait. */
async function waitingMessages(settled, signal) {
  const last = (topic) => get("/api/events/history", { query: { topic, last: SENT }, signal });
  const [sent, acked] = await Promise.all([last("$message.sent"), last("$message.acked")]);
  const ids = urgentCandidates(sent, acked).filter((id) => !settled.has(id));
  const read = (id) =>
    get(`/api/messages/${id}`, { signal }).catch((error) => {
      // Read ones are deleted some time, and those of others are none of an agent's business.
      if (error.status === 404 || error.status === 403) return null;
      throw error;
    });
  const found = await Promise.all(ids.slice(0, URGENT).map(async (id) => [id, await read(id)]));
  return found.flatMap(([id, one]) => {
    const waiting = one?.receipts.filter((receipt) => waits(one, receipt)) ?? [];
    if (!waiting.length) settled.add(id);
    return waiting.length ? [{ ...one, waiting }] : [];
  });
}

function message({ id, subject, body, waiting, ack, created_at: at }) {
  const [{ project, name }] = waiting;
  const href = `/messages/${encodeURIComponent(project)}/${encodeURIComponent(name)}?id=${id}`;
  return h(
    "li.decision",
    h(
      ".row",
      badge("urgent", "bad"),
      h("a.strong.clip.data", { href, title: subject || body }, subject || body),
      h("span.push.small.faint", ago(at, " ago")),
    ),
    h(
      ".row.wrap.small.soft",
      ack ? "not acknowledged by" : "not read by",
      waiting.slice(0, 3).map((receipt) => person(receipt.name)),
      waiting.length > 3 && plural(waiting.length - 3, "other"),
    ),
  );
}

function silent({ id, name, last_seen: seen }, held) {
  return h(
    "li.decision",
    h(
      ".row",
      badge("stale", "warn"),
      h("a.strong.clip.data", { href: `/agents/${encodeURIComponent(id)}` }, name),
      h("span.push.small.faint", "no signal for ", ago(seen)),
    ),
    h(
      ".row.wrap.small.soft",
      `holds ${plural(held.length, "task")}:`,
      held.slice(0, 4).map((task) => taskLink(task)),
    ),
  );
}

function endingClaim(task, seen, choose) {
  const { claim } = task;
  return h(
    "li.decision",
    h(".row", badge("claim ends", "warn"), taskLink(task), h("span.push.small.alarm", left(claim.expires_at))),
    h(
      ".row.small.soft",
      person(claim.name),
      seen && h("span", "silent for ", ago(seen)),
      h(
        ".push.row",
        button("Assign", () => choose(task), { little: true }),
      ),
    ),
  );
}

function failure(task) {
  return h(
    "li.decision",
    h(".row", badge("failed", "bad"), taskLink(task), h("span.push.small.faint", ago(task.updated_at, " ago"))),
    h(
      ".row.small.soft",
      h("span.clip.data", { title: task.reason }, task.reason || "no reason"),
      h(
        ".push.row",
        button("Reopen", () => reopen(task), { little: true }),
      ),
    ),
  );
}
