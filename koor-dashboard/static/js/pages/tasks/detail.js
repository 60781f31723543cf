// The page of one task: what is to be done, who did what about it, what it waits for, and what can be done now.

import { nameOf } from "../../agents.js";
import { agentsOf } from "../../addresses.js";
import { get, post, serverNow } from "../../api.js";
import { ago, badge, button, flushPanel, left, panel } from "../../components/basics.js";
import { form } from "../../components/form.js";
import { jsonTree } from "../../components/json-view.js";
import { approve, cancel, chooseAgent, edit, reject, reopen, taskPath } from "../../components/task-actions.js";
import { person, priority, taskHref, taskLink, taskStatus } from "../../components/task-bits.js";
import { h, replace } from "../../dom.js";
import { moment } from "../../format.js";
import { claimsOf, storyOf } from "../../story.js";
import { endsSoon } from "../../tasks.js";
import { throttle } from "../../timing.js";
import { claimBars, storyList } from "./story-view.js";

// Beyond these, the audit log tells the rest of the story.
const EVENTS = 2000;
const ENTRIES = 1000;
const REFRESH = 400;
const RENEWED = 30_000;

export function detail(ctx, id) {
  const abort = new AbortController();
  const { signal } = abort;
  const path = taskPath(id);
  const data = { task: null, near: new Map(), holder: null, agents: [], leases: [] };
  const head = h(".stack");
  const work = h("div");
  const story = h("div");
  const side = h(".side.stack");
  const composer = noteForm();

  async function load() {
    const { project } = id;
    const encoded = encodeURIComponent(project);
    const [task, notes, events, audit, instances, leases] = await Promise.all([
      get(path, { signal }),
      get(`${path}/notes`, { signal }),
      get("/api/events/history", { query: { topic: "$task.*", last: EVENTS }, signal }),
      get("/api/audit", { query: { resource: `${project}/${id.number}`, limit: ENTRIES }, signal }).catch(denied),
      get("/api/instances", { signal }),
      get(`/api/leases/${encoded}`, { signal }),
    ]);
    const children = await get(`/api/tasks/${encoded}`, { query: { parent: id.number, limit: 200 }, signal });
    const numbers = new Set([...task.after, task.parent].filter(Boolean));
    const others = await Promise.all([...numbers].map((number) => get(taskPath({ project, number }), { signal })));
    data.near = new Map([...others, ...children].map((other) => [other.number, other]));
    Object.assign(data, {
      task,
      children,
      next: await dependents(task),
      holder: task.claim && instances.find((instance) => instance.id === task.claim.instance_id),
      agents: agentsOf(instances, project),
      leases: leases.filter((lease) => lease.task === id.number),
    });
    const mine = events.filter(({ data: told }) => told.project === project && told.number === id.number).reverse();
    const entries = storyOf({
      events: mine,
      audit: audit.map((entry) => ({ ...entry, actor: nameOf(entry.actor) })),
      notes,
    });
    draw(entries);
  }

  /** The tasks that come after this one: unfinished ones only, since those are listed at all. */
  async function dependents({ project, number }) {
    const all = await get(`/api/tasks/${encodeURIComponent(project)}`, {
      query: { status: ["open", "claimed", "review"], limit: 1000 },
      signal,
    });
    return all.filter(({ after }) => after.includes(number));
  }

  function draw(entries) {
    const { task } = data;
    ctx.title(`#${task.number} ${task.title}`);
    replace(
      head,
      h(
        "header.page-head.task-head",
        h(
          "a.button.quiet.icon",
          { href: `/tasks/${encodeURIComponent(task.project)}`, "aria-label": "The board", title: "The board" },
          "‹",
        ),
        h("h1.data", h("span.task-number", `#${task.number}`), " ", task.title),
        taskStatus(task),
        priority(task),
        h(".actions", actions(task)),
      ),
      notice(task),
    );
    replace(
      work,
      (task.body || task.result !== null || task.reason) &&
        flushPanel(
          "The task",
          h("span.small.faint.mono", `${task.project}/${task.number}`),
          task.body && h("p.task-body.data", task.body),
          task.reason &&
            task.status !== "done" &&
            h(
              ".task-reason",
              h("span.small.faint", task.status === "cancelled" ? "Reason" : "Sent back or failed last because"),
              h("p.data", task.reason),
            ),
          task.result !== null && [h("h3.task-part", "Result"), jsonTree(task.result, "Result")],
        ),
    );
    replace(story, storyList(entries));
    replace(side, facts(task), relations(task), claimBars(claimsOf(entries), serverNow()), paths());
  }

  function actions(task) {
    const { status } = task;
    const open = status === "open" || status === "claimed";
    return [
      status === "review" && button("Send back", () => reject(task), { tone: "danger" }),
      status === "review" && button("Approve", () => approve(task), { tone: "primary", icon: "check" }),
      open && button("Assign", () => chooseAgent(task, data.agents, new Map()), { icon: "assign" }),
      button("Edit", () => edit(task), { icon: "edit" }),
      ["done", "failed", "cancelled"].includes(status) && button("Reopen", () => reopen(task), { icon: "undo" }),
      status !== "done" &&
        status !== "cancelled" &&
        button("Cancel", () => cancel(task), { icon: "close", tone: "danger" }),
    ];
  }

  /** What needs attention about this task, and what to do about it. */
  function notice(task) {
    const { claim, status, blocked_by: blockers } = task;
    const holder = data.holder;
    if (claim && holder?.status === "stale")
      return h(
        ".notice",
        h(
          "span.grow",
          claim.name,
          " is stale: no signal for ",
          ago(holder.last_seen),
          ". Its claim ends by itself (",
          left(claim.expires_at),
          "); to be faster, assign the task to another agent.",
        ),
      );
    if (claim && endsSoon(claim, holder?.last_seen, serverNow()))
      return h(
        ".notice",
        h(
          "span.grow",
          claim.name,
          " is silent, and its claim ends soon: ",
          left(claim.expires_at),
          ". Any call of the agent renews it.",
        ),
      );
    if (status === "failed")
      return h(
        ".notice",
        h("span.grow", `All ${task.max_attempts} attempts failed. Reopen it to let agents try again.`),
      );
    if (status === "open" && blockers.length)
      return h(
        ".notice.calm",
        h("span.grow", "Agents can claim it once ", others(blockers), blockers.length > 1 ? " are done." : " is done."),
      );
    return null;
  }

  function others(list) {
    return list.map((number, at) => [
      at > 0 && (at === list.length - 1 ? " and " : ", "),
      h("a", { href: taskHref({ project: id.project, number }) }, `#${number}`),
    ]);
  }

  function facts(task) {
    const {
      claim,
      assignee,
      labels,
      needs,
      attempts,
      max_attempts: most,
      created_by: maker,
      created_at: made,
      key,
      fence,
      not_before: pause,
      review,
      version,
    } = task;
    const line = (name, ...value) => [h("dt", name), h("dd", value)];
    return panel(
      null,
      null,
      h(
        "dl.facts",
        claim &&
          line(
            "Claimed by",
            h("a.data", { href: `/agents/${encodeURIComponent(claim.instance_id)}` }, person(claim.name)),
          ),
        claim && line("Claim", left(claim.expires_at), h("span.faint", ", renewed by each call of the agent")),
        assignee && line("Only for", person(assignee)),
        line(
          "Priority",
          `${task.priority}`,
          h("span.faint", [", first", "", ", the usual one", "", ", last"][task.priority]),
        ),
        labels.length > 0 &&
          line(
            "Labels",
            h(
              ".row.wrap",
              labels.map((label) => h("span.tag", label)),
            ),
          ),
        needs.length > 0 &&
          line(
            "Needs",
            h(
              ".row.wrap",
              needs.map((need) => h("span.tag", need)),
            ),
          ),
        pause && line("Not before", moment(pause)),
        line("Review", review ? "by another agent, or you" : "none"),
        line("Attempts", `${attempts} of ${most} used`),
        line("Created", ago(made, " ago"), h("span.faint", " by ", h("span.data", maker || "an admin"))),
        key && line("Key", h("span.mono.data", key)),
        line("Fence", `${fence}`, h("span.faint", `, version ${version}`)),
      ),
    );
  }

  function relations(task) {
    const row = (other) => h("li", taskStatus(other), taskLink(other), other.claim && person(other.claim.name));
    const part = (title, list) => list.length > 0 && [h("h3.task-part", title), h("ul.task-rows", list.map(row))];
    const before = task.after.map((number) => data.near.get(number)).filter(Boolean);
    const whole = task.parent ? [data.near.get(task.parent)].filter(Boolean) : [];
    if (!before.length && !data.next.length && !data.children.length && !whole.length) return null;
    return flushPanel(
      "Dependencies",
      h("code.small.faint", `koor task tree ${task.number}`),
      part("Part of", whole),
      part(`Waits for (${before.filter(({ status }) => status === "done").length} of ${before.length} done)`, before),
      part("Its parts", data.children),
      part(
        "Comes before",
        data.next.filter(({ number }) => number !== task.parent),
      ),
    );
  }

  function paths() {
    return (
      data.leases.length > 0 &&
      flushPanel(
        "Leased paths",
        h("a.small", { href: `/leases/${encodeURIComponent(id.project)}` }, "All leases"),
        h(
          "ul.task-rows",
          data.leases.flatMap(({ paths: leased, mode, expires_at: end }) =>
            leased.map((one) =>
              h(
                "li",
                h("span.mono.clip.data.grow", one),
                mode === "shared" && badge("shared"),
                h("span.small.faint", left(end)),
              ),
            ),
          ),
        ),
      )
    );
  }

  function noteForm() {
    const made = form({
      fields: [{ name: "text", label: "Add a note", type: "textarea", rows: 2, required: true }],
      submit: "Add",
      tone: "",
      onsubmit: async ({ text }) => {
        await post(`${path}/notes`, { text });
        made.inputs.get("text").input.value = "";
        await load();
      },
    });
    made.classList.add("note-form");
    return made;
  }

  const again = throttle(
    () =>
      load().catch((error) => {
        if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
      }),
    REFRESH,
  );
  const timer = setInterval(() => data.task?.claim && again(), RENEWED);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    again.cancel();
  });

  return {
    abort,
    project: id.project,
    open: async () => {
      await load();
      ctx.root.append(head, h(".task-page", h(".stack", work, flushPanel("Story", null, story, composer)), side));
    },
    refresh: load,
    arrive: (events) => {
      const about = ({ topic, data: told }) =>
        (topic.startsWith("$task.") || topic.startsWith("$lease.")) && told.project === id.project;
      if (events.some(about)) again();
    },
  };
}

/** A visitor who may not read the audit log still has events and notes. */
function denied(error) {
  if (error.status === 403) return [];
  throw error;
}
