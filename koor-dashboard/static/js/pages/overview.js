// Overview: who works on what, what is stuck, what waits for a decision, what just happened, and what it costs.

import { get, serverNow } from "../api.js";
import { h, keyed, replace, setText } from "../dom.js";
import { age, compact, count, money, plural } from "../format.js";
import { commonProject, merged } from "../log.js";
import { throttle } from "../timing.js";
import {
  ago,
  badge,
  byAttention,
  empty,
  face,
  flushPanel,
  pageHead,
  search,
  segments,
  setAgo,
  stat,
  status,
} from "../components/basics.js";
import { eventLine, kept, lineHeight } from "../components/event-row.js";
import { virtualList } from "../components/virtual.js";
import { DECISION_TOPICS, decisionPanel } from "./overview/decisions.js";
import { STUCK_TOPICS, stuckPanel } from "./overview/stuck.js";
import { troubleBadges } from "./overview/troubles.js";

const KEPT_EVENTS = 300;
// What an agent's calls change is read again this often at most, and only when something happened.
const REFRESH = 5000;
const MINUTE = 60_000;
// Beyond this many agents a field for searching helps.
const MANY = 12;

export async function open(ctx) {
  const { root, signal } = ctx;
  const health = h("span.row.wrap");
  root.append(pageHead("Overview", health));
  const numbers = stats();
  const agents = agentCards();
  const stuck = stuckPanel();
  const decisions = decisionPanel();
  const stream = eventPanel(ctx);
  root.append(
    numbers.element,
    h(".overview", agents.element, h(".side", stuck.element, decisions.element, stream.element)),
  );

  const data = { instances: [], calls: new Map(), metrics: null, tasks: null, cost: 0, requests: 0 };
  const loadAgents = async () => {
    const hour = new Date(serverNow()).toISOString().slice(0, 13);
    const [instances, calls] = await Promise.all([
      get("/api/instances", { signal }),
      get("/api/metrics/agents", { query: { period: hour }, signal }),
    ]);
    data.instances = instances;
    data.calls = new Map(
      calls.map(({ instance_id: id, metrics }) => [id, (metrics.rest_calls ?? 0) + (metrics.mcp_calls ?? 0)]),
    );
    agents.show(data);
    numbers.show(data);
    askBeforeSayingSilent();
  };
  const loadServer = async () => {
    const midnight = new Date(serverNow());
    midnight.setHours(0, 0, 0, 0);
    const [metrics, summary, { projects }, state, troubles] = await Promise.all([
      get("/api/metrics", { signal }),
      get("/api/llm/usage/summary", { query: { from: midnight.toISOString() }, signal }),
      get("/api/tasks", { signal }),
      get("/health", { signal }).catch((error) => error.body),
      troubleBadges(signal),
    ]);
    Object.assign(data, {
      metrics,
      tasks: sums(projects),
      cost: summary.total.total_cost_usd,
      requests: summary.total.request_count,
    });
    numbers.show(data);
    const good = state.status === "ok";
    replace(
      health,
      badge(good ? "Healthy" : `Degraded: ${state.reason ?? "no answer"}`, good ? "good" : "bad"),
      troubles,
      h("span.faint", ` up ${metrics.uptime.replace(/\d+s$/, "") || metrics.uptime} · ${state.version ?? ""}`),
    );
  };
  const all = () =>
    Promise.all([loadAgents(), loadServer(), stuck.load(signal), decisions.load(signal), stream.load(signal)]);
  const again = throttle(() => quietly(() => Promise.all([loadAgents(), loadServer(), stuck.load(signal)])), REFRESH);

  // A heartbeat is no event. So before the page says that an agent has been silent for another minute, it asks.
  let timer = 0;
  function askBeforeSayingSilent() {
    clearTimeout(timer);
    const ages = data.instances
      .filter((agent) => agent.status === "active")
      .map((agent) => serverNow() - Date.parse(agent.last_seen));
    if (ages.length)
      timer = setTimeout(again, Math.max(REFRESH, Math.min(...ages.map((age) => MINUTE - (age % MINUTE)))));
  }
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    again.cancel();
  });

  await all();
  ctx.on(["*", "$*"], again);
  ctx.on(
    ["$instance.*"],
    throttle(() => quietly(loadAgents), 500),
  );
  ctx.on(
    DECISION_TOPICS,
    throttle(() => quietly(() => decisions.load(signal)), 500),
  );
  ctx.on(
    STUCK_TOPICS,
    throttle(() => quietly(() => stuck.load(signal)), 500),
  );
  return { refresh: all, update: () => {} };
}

/** What is read in the background may fail: the banner says that the connection is gone, and a gap or event reads again. */
async function quietly(work) {
  try {
    await work();
  } catch (error) {
    if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
  }
}

/** The tasks of all projects together. */
function sums(projects) {
  const sum = (status) => projects.reduce((all, counts) => all + counts[status], 0);
  return { claimed: sum("claimed"), ready: sum("ready"), review: sum("review") };
}

function stats() {
  const element = h(".stats");
  const show = ({ instances, metrics, tasks, cost, requests }) => {
    if (!metrics) return;
    const active = instances.filter((agent) => agent.status === "active").length;
    const { token_tax: tax } = metrics;
    replace(
      element,
      stat(
        "Agents at work",
        h("span", String(active), h("span.of", ` / ${instances.length}`)),
        heard(instances),
        "/agents",
      ),
      stat(
        "Tasks in hand",
        count(tasks.claimed),
        `${count(tasks.ready)} ready, ${count(tasks.review)} in review`,
        "/tasks",
      ),
      stat(
        "Tokens outside MCP",
        compact(tax.measured.rest_tokens),
        `measured; ${compact(tax.measured.mcp_tokens)} through MCP`,
      ),
      stat("Calls", compact(tax.total_calls), `${count(tax.mcp_calls)} through MCP`),
      stat("Cost today", money(cost), plural(requests, "request"), "/costs"),
      stat("Shared state", count(metrics.state_keys), `keys · event ${compact(metrics.last_event_id)}`, "/state"),
    );
  };
  return { element, show };
}

/** Whether agents answer, in a few words. */
function heard(instances) {
  const of = (status) => instances.filter((agent) => agent.status === status).length;
  const silent = instances.filter((agent) => agent.status === "stale").map((agent) => Date.parse(agent.last_seen));
  if (silent.length) return `${silent.length}: no signal for ${age(Math.max(...silent))}`;
  if (of("pending")) return `${of("pending")} pending`;
  return instances.length ? "all responding" : "none registered";
}

function agentCards() {
  const grid = h("ul.cards");
  const none = h("div");
  const sub = h("span.faint.num");
  const filter = search("Find an agent", "", (text) => {
    wanted = text.toLowerCase();
    paint();
  });
  let wanted = "";
  let cards = [];
  let known = new Map();
  const draw = keyed(grid, ({ id }) => id, card);
  const element = h(
    "section.agents-part",
    { "aria-label": "Agents" },
    h(".row.part-head", h("h2", "Agents"), sub, h(".push", filter)),
    grid,
    none,
  );

  function paint() {
    draw(cards.filter((item) => !wanted || item.text.includes(wanted)));
  }
  function show({ instances, calls }) {
    const next = new Map();
    cards = instances
      .map((agent) => {
        const n = calls.get(agent.id) ?? 0;
        const look = JSON.stringify({ ...agent, last_seen: null });
        const before = known.get(agent.id);
        const same = before?.look === look && before.agent.last_seen === agent.last_seen && before.calls === n;
        const item = same ? before : { id: agent.id, agent, calls: n, look, text: look.toLowerCase() };
        next.set(agent.id, item);
        return item;
      })
      .sort((a, b) => byAttention(a.agent, b.agent));
    known = next;
    filter.hidden = cards.length <= MANY;
    setText(sub, cards.length ? String(cards.length) : "");
    replace(
      none,
      cards.length === 0 &&
        empty(
          "agents",
          "No agents yet",
          "An agent registers through MCP, or with ",
          h("code", "koor register <name>"),
          ".",
        ),
    );
    paint();
  }
  return { element, show };
}

// Of hundreds of busy agents, most have only been seen again: then two texts change, and the card stays.
function card({ agent, calls, look }, before) {
  const { id, name, status: word, intent, stack, capabilities, last_seen: time } = agent;
  const said = `${plural(calls, "call")} this hour`;
  if (before?.look === look) {
    setAgo(before.seen, time);
    setText(before.calls, said);
    return before;
  }
  const seen = ago(time, " ago");
  const doings = h("span.num", said);
  const made = h(
    "li.agent-card",
    { class: word },
    h(
      ".row",
      face(name),
      h("a.name.clip.data", { href: `/agents/${encodeURIComponent(id)}`, title: name }, name),
      h(".push.row", status(word)),
    ),
    h("p.intent.data", { class: intent ? "" : "faint", title: intent }, intent || "no intent"),
    h(
      ".row.wrap.tags",
      stack && h("span.tag.stack", stack),
      capabilities.slice(0, 4).map((text) => h("span.tag", text)),
      capabilities.length > 4 && h("span.faint.small", `+${capabilities.length - 4}`),
    ),
    h(".row.spread.small.faint.last", h("span", "seen ", seen), doings),
  );
  return Object.assign(made, { look, seen, calls: doings });
}

function eventPanel(ctx) {
  let system = false;
  let events = [];
  let project = "";
  const list = virtualList({
    label: "Events",
    height: lineHeight(),
    key: ({ id }) => id,
    draw: (event) => eventLine(event, project),
    role: "list",
    lineRole: "listitem",
    onpick: ({ id }) => ctx.go(`/events?id=${id}`),
  });
  list.classList.add("event-list");
  const none = h("div");
  const common = h("span.tag.mono", { hidden: true });
  const choice = segments(
    "Which events",
    [
      [false, "Agents’"],
      [true, "All"],
    ],
    system,
    (value) => {
      system = value;
      load(ctx.signal);
    },
  );
  const element = flushPanel(
    h(".row", h("h2", "Happening now"), common),
    [choice, h("a.button.quiet.little", { href: "/events" }, "All events")],
    none,
    list,
  );
  const matches = () => (system ? ["*", "$*"] : ["*"]);
  async function load(signal) {
    const lists = await Promise.all(
      matches().map((topic) => get("/api/events/history", { query: { last: 100, topic }, signal })),
    );
    const read = lists.flat().map(kept);
    events = merged(
      read.sort((a, b) => b.id - a.id),
      [],
      KEPT_EVENTS,
    );
    paint();
  }
  function paint() {
    // What all have in common is said once, above them, and leaves its room to the rest.
    const next = commonProject(events.map(({ topic }) => topic).filter((topic) => !topic.startsWith("$")));
    if (next !== project) {
      project = next;
      list.redraw();
    }
    setText(common, project.slice(0, -1));
    common.hidden = project === "";
    list.show(events);
    none.hidden = events.length > 0;
    list.hidden = events.length === 0;
    if (!events.length && !none.firstChild)
      none.append(
        empty("events", "No events yet", "An agent publishes one with ", h("code", "koor events publish <topic>"), "."),
      );
  }
  ctx.on(["*", "$*"], (batch) => {
    const fresh = batch.filter(({ topic }) => system || !topic.startsWith("$")).map(kept);
    if (!fresh.length) return;
    const first = events[0]?.id;
    events = merged(fresh.reverse(), events, KEPT_EVENTS);
    paint();
    // A visitor who has scrolled down is reading: the lines stay where they are.
    if (list.scrollTop > 0) list.scrollTop += events.findIndex(({ id }) => id === first) * lineHeight();
  });
  return { element, load };
}
