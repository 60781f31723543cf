// The board: a project's tasks in columns by status, live; cards are dragged to agents, and decided on in place.

import { get, serverNow, withQuery } from "../../api.js";
import { agentsOf } from "../../addresses.js";
import { button, empty, pageHead, search, segments, select } from "../../components/basics.js";
import { assign, chooseAgent, create } from "../../components/task-actions.js";
import { h, keyed, replace, setText } from "../../dom.js";
import { count } from "../../format.js";
import { COLUMNS, columnsOf, endsSoon, matches, partsOf } from "../../tasks.js";
import { throttle } from "../../timing.js";
import { taskProjects } from "../tasks.js";
import { agentStrip } from "./agents.js";
import { card, cardHead } from "./card.js";
import { cardKeys } from "./keys.js";
import { linkLines } from "./links.js";
import { readTasks } from "./read.js";

const REFRESH = 400;
// Claims are renewed without an event, so the time that is left of them is read again this often while some are shown.
const RENEWED = 60_000;

export function board(ctx, wanted) {
  const abort = new AbortController();
  const { signal } = abort;
  const data = { project: wanted, tasks: [], counts: null, projects: [], agents: [], instances: new Map() };
  let filter = read(ctx.query);
  let dragged = null;
  let waiting = false;

  const tally = h("span.lead.num");
  const choice = h("span.row");
  const bar = h(".toolbar.board-bar");
  const none = h("div");
  const strip = agentStrip({ drop: (name) => dropped(name) });
  const columns = new Map(COLUMNS.map((column) => [column.id, makeColumn(column)]));
  const lines = linkLines();
  const area = h(
    ".board",
    { role: "group", "aria-label": "Board" },
    [...columns.values()].map(({ element }) => element),
    lines.element,
  );
  const phone = segments(
    "Column",
    COLUMNS.map(({ id, label }) => [id, label]),
    "open",
    showOnly,
  );
  phone.classList.add("board-columns");
  showOnly("open");

  const acts = {
    assign: (task) => chooseAgent(task, data.agents, held()),
    drag: (task) => {
      dragged = task;
      document.body.classList.toggle("dragging-task", Boolean(task));
      if (!task && waiting) paint();
    },
  };
  cardKeys(area, {
    of: (number) => data.tasks.find((task) => task.number === number),
    assign: acts.assign,
  });
  for (const event of ["focusin", "pointerover"]) area.addEventListener(event, ({ target }) => point(target));
  for (const event of ["focusout", "pointerleave"]) area.addEventListener(event, () => point(document.activeElement));
  area.addEventListener("scroll", () => lines.draw(), { passive: true, capture: true });

  function makeColumn({ id, label }) {
    const number = h("span.faint.num");
    const list = h("ul.task-cards", { "aria-label": label, tabindex: -1 });
    const rest = h("p.small.faint.rest");
    const element = h(
      "section.column",
      { class: `column-${id}`, "aria-label": label },
      h("header.row", h("h2", label), number),
      list,
      rest,
    );
    return {
      element,
      list,
      number,
      rest,
      draw: keyed(
        list,
        ({ key }) => key,
        (item) => (item.head ? cardHead(item) : card(item, acts)),
      ),
    };
  }

  function showOnly(id) {
    area.dataset.column = id;
  }

  /** Points at a card: what it waits for and what waits for it stand out, with lines between them. */
  function point(target) {
    const at = target?.closest?.(".task-card");
    lines.point(area, at ? Number(at.dataset.number) : 0, data.tasks);
  }

  function held() {
    const tasks = new Map();
    for (const { claim } of data.tasks) if (claim) tasks.set(claim.name, (tasks.get(claim.name) ?? 0) + 1);
    return tasks;
  }

  async function dropped(name) {
    const task = dragged;
    if (task) await assign(task, name);
  }

  async function load() {
    data.projects = await taskProjects(signal);
    if (!data.project && data.projects.length) data.project = data.projects[0].project;
    data.counts = data.projects.find(({ project }) => project === data.project) ?? null;
    const instances = await get("/api/instances", { signal });
    data.instances = new Map(instances.map((instance) => [instance.id, instance]));
    data.agents = agentsOf(instances, data.project);
    data.tasks = data.counts ? await readTasks(data.counts, signal) : [];
    if (dragged) waiting = true;
    else paint();
  }

  function paint() {
    waiting = false;
    const { project, projects, counts, tasks } = data;
    ctx.title(project ? `Tasks of ${project}` : "Tasks");
    const several = projects.length > 1 || (project && !counts);
    replace(
      choice,
      several && select("Project", options(), project, (name) => ctx.go(`/tasks/${encodeURIComponent(name)}`)),
    );
    setText(
      tally,
      counts
        ? `${several ? "" : `${project} · `}${count(counts.ready)} ready, ${count(counts.claimed)} claimed, ${count(counts.review)} in review`
        : "",
    );
    replace(none, !tasks.length && nothing());
    area.hidden = bar.hidden = strip.element.hidden = phone.hidden = !tasks.length;
    const focus = focused();
    const seen = tasks.filter((task) => matches(task, filter));
    const known = new Map(tasks.map((task) => [task.number, task]));
    const now = serverNow();
    for (const [id, found] of columnsOf(seen)) {
      const column = columns.get(id);
      column.draw(
        partsOf(found).flatMap(({ head, tasks: part }) =>
          withHead(
            head,
            part.map((task) => item(task, known, now)),
          ),
        ),
      );
      const all = counts
        ? COLUMNS.find((one) => one.id === id).statuses.reduce((sum, status) => sum + counts[status], 0)
        : 0;
      setText(column.number, found.length === all ? count(all) : `${count(found.length)} of ${count(all)}`);
      setText(column.rest, found.length ? "" : filtered() ? "None matches" : "None");
      column.rest.hidden = found.length > 0;
      const at = COLUMNS.findIndex((one) => one.id === id);
      setText(phone.children[at], `${COLUMNS[at].short ?? COLUMNS[at].label} ${count(found.length)}`);
    }
    strip.show(data.agents, held());
    refocus(focus);
    point(document.activeElement);
  }

  // A card, or a heading, is drawn anew only if something that it shows has changed.
  const items = new Map();
  function withHead(head, part) {
    if (!head) return part;
    const before = items.get(head);
    const next = before?.n === part.length ? before : { key: head, head, n: part.length };
    items.set(head, next);
    return [next, ...part];
  }

  function item(task, known, now) {
    const others = [...task.after, ...task.blocked_by].map((number) => [number, known.get(number)?.status]);
    const seen = task.claim && data.instances.get(task.claim.instance_id);
    const soon = Boolean(task.claim) && endsSoon(task.claim, seen?.last_seen, now);
    const stale = seen?.status === "stale";
    const look = JSON.stringify([task, others, soon, stale]);
    const before = items.get(task.number);
    const next =
      before?.look === look ? before : { key: task.number, task, look, of: (number) => known.get(number), soon, stale };
    items.set(task.number, next);
    return next;
  }

  /** What has the focus, so that it can be given back to a card that was drawn anew. */
  function focused() {
    const here = document.activeElement;
    const number = here?.closest?.(".task-card")?.getAttribute("data-number");
    return number ? { number, part: here.getAttribute("data-part") ?? "name" } : null;
  }

  function refocus(focus) {
    if (!focus || area.contains(document.activeElement)) return;
    const at = area.querySelector(`.task-card[data-number="${focus.number}"]`);
    (at?.querySelector(`[data-part="${focus.part}"]`) ?? at?.querySelector("[data-part=name]"))?.focus({
      preventScroll: true,
    });
  }

  function options() {
    const names = data.projects.map(({ project }) => project);
    if (data.project && !names.includes(data.project)) names.unshift(data.project);
    return names.map((name) => [name, name]);
  }

  function nothing() {
    return empty(
      "tasks",
      data.project ? `No tasks in ${data.project} yet` : "No tasks yet",
      "Make one with ",
      h("code", "koor task add <title>"),
      ", or with the button above. Agents claim it with ",
      h("code", "koor next"),
      ".",
    );
  }

  function filtered() {
    return filter.text || filter.label || filter.agent;
  }

  function toolbar() {
    const change = (part) => ctx.go(withQuery(location.pathname, { ...filter, ...part }), { replace: true });
    const labels = [...new Set(data.tasks.flatMap((task) => task.labels))].sort();
    const names = data.agents.map(({ name }) => [name, name]);
    replace(
      bar,
      search("Number, title, text", filter.text, (text) => change({ text })),
      labels.length > 0 &&
        select("Label", [["", "All labels"], ...labels.map((label) => [label, label])], filter.label, (label) =>
          change({ label }),
        ),
      select("Agent", [["", "All agents"], ["-", "No agent"], ...names], filter.agent, (agent) => change({ agent })),
    );
  }

  const again = throttle(() => quietly(load), REFRESH);
  const timer = setInterval(() => data.tasks.some(({ claim }) => claim) && again(), RENEWED);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    again.cancel();
    document.body.classList.remove("dragging-task");
  });

  return {
    abort,
    project: wanted,
    open: async () => {
      ctx.root.append(
        pageHead(
          "Tasks",
          tally,
          choice,
          button("New task", () => create(data.project), { icon: "plus", tone: "primary" }),
        ),
        bar,
        strip.element,
        phone,
        none,
        area,
      );
      await load();
      toolbar();
    },
    update: (next) => {
      filter = read(next.query);
      paint();
    },
    refresh: load,
    arrive: (events) => {
      const about = ({ topic, data: told }) =>
        (topic.startsWith("$task.") && (told.project === data.project || !data.counts)) ||
        topic.startsWith("$instance.") ||
        topic === "agent.stale";
      if (events.some(about)) again();
    },
  };
}

export function read(query) {
  return { text: query.get("text") ?? "", label: query.get("label") ?? "", agent: query.get("agent") ?? "" };
}

/** What is read in the background may fail: the banner says that the connection is gone, and the next event reads again. */
async function quietly(work) {
  try {
    await work();
  } catch (error) {
    if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
  }
}
