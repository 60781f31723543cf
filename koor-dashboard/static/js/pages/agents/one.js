// The page of one agent: what it holds, what it has been doing, and what can be done about it.

import { del, get, post, serverNow, withQuery } from "../../api.js";
import {
  ago,
  button,
  clip,
  copyButton,
  empty,
  face,
  flushPanel,
  panel,
  stat,
  status,
} from "../../components/basics.js";
import { columns, legend, periods, spark } from "../../components/chart.js";
import { confirm, openDialog } from "../../components/dialog.js";
import { form } from "../../components/form.js";
import { brief } from "../../components/json-view.js";
import { attempt, toast } from "../../components/toast.js";
import { h, replace } from "../../dom.js";
import { count, moment } from "../../format.js";
import { background } from "../agents.js";
import { holdings } from "./holdings.js";

const HOURS = 24;
const TIMELINE = 200;

export function one(ctx, id) {
  const abort = new AbortController();
  const { signal } = abort;
  const path = `/api/instances/${encodeURIComponent(id)}`;
  const top = h(".stack");
  const chart = h("div");
  const numbers = h(".stats");
  const events = h("ol.timeline");
  const inHand = holdings();
  let agent = null;
  let entries = [];

  async function load() {
    const [instance, rows] = await Promise.all([
      get(path, { signal }),
      get(`/api/metrics/agents/${encodeURIComponent(id)}`, { signal }),
    ]);
    agent = instance;
    head();
    await inHand.load(instance, signal);
    hourly(rows);
  }

  function head() {
    ctx.title(agent.name);
    replace(
      top,
      h(
        "header.page-head",
        h("a.button.quiet.icon", { href: "/agents", "aria-label": "All agents", title: "All agents" }, "‹"),
        face(agent.name),
        h("h1.data", agent.name),
        status(agent.status),
        h(
          ".actions",
          button("Edit intent", editIntent, { icon: "edit" }),
          button("Deregister", deregister, { icon: "trash", tone: "danger" }),
        ),
      ),
      remedy(),
      panel(
        null,
        null,
        h(
          ".agent-facts",
          h("p.intent.data", { class: agent.intent ? "" : "faint" }, agent.intent || "no intent"),
          h(
            "dl.facts",
            h("dt", "Seen"),
            h("dd", ago(agent.last_seen, " ago")),
            h("dt", "Registered"),
            h("dd", moment(agent.registered_at)),
            h("dt", "Stack"),
            h("dd", agent.stack || h("span.faint", "none")),
            h("dt", "Workspace"),
            h("dd.mono", agent.workspace || h("span.faint", "none")),
            h("dt", "Capabilities"),
            h(
              "dd",
              h(
                ".row.wrap",
                agent.capabilities.length
                  ? agent.capabilities.map((text) => h("span.tag", text))
                  : h("span.faint", "none"),
              ),
            ),
            h("dt", "Id"),
            h("dd", h("span.row", h("span.mono.small.clip", agent.id), copyButton(agent.id, "Copy the id"))),
          ),
        ),
      ),
    );
  }

  /** What can be done about an agent that is not active. */
  function remedy() {
    if (agent.status === "pending") {
      return h(
        ".notice",
        h("span.grow", "This agent is pending. Once it is active, Koor notices when it goes silent."),
        button("Activate", () => mend("activate", `${agent.name} is active.`), { tone: "primary", little: true }),
      );
    }
    if (agent.status !== "stale") return null;
    return h(
      ".notice",
      h(
        "span.grow",
        "No signal for ",
        ago(agent.last_seen),
        ". Any call of the agent makes it active again, such as ",
        h("code", "koor heartbeat"),
        " in its folder. Deregister it if it is gone.",
      ),
      button("Mark as active", () => mend("heartbeat", `${agent.name} is active.`), { little: true }),
    );
  }

  async function mend(verb, done) {
    if (await attempt(() => post(`${path}/${verb}`), done)) await load();
  }

  function hourly(rows) {
    const hours = periods(serverNow(), HOURS);
    const of = (name) =>
      hours.map((hour) => rows.find((row) => row.period === hour && row.metric_name === name)?.metric_value ?? 0);
    const label = (hour) => `${String(new Date(`${hour}:00:00Z`).getHours()).padStart(2, "0")}:00`;
    const parts = [
      { name: "REST calls", values: of("rest_calls") },
      { name: "MCP calls", values: of("mcp_calls") },
    ];
    replace(
      chart,
      columns({ label: "Calls by hour, over the last day", labels: hours.map(label), parts, format: count }),
      legend(parts),
    );
    const other = {
      events_published: "Events published",
      state_writes: "State writes",
      violations: "Violations",
      conflicts: "Conflicts",
      rollbacks: "Rollbacks",
    };
    replace(
      numbers,
      Object.entries(other).map(([name, text]) => {
        const values = of(name);
        const sum = values.reduce((a, b) => a + b, 0);
        return stat(text, count(sum), spark(values, `${text} by hour`));
      }),
    );
  }

  async function timeline() {
    const [published, audit] = await Promise.all([
      get("/api/events/history", { query: { source: agent.name, last: TIMELINE }, signal }),
      get("/api/audit", { query: { actor: id, limit: TIMELINE }, signal }),
    ]);
    entries = [
      ...published.map((event) => ({ at: event.created_at, key: `e${event.id}`, event })),
      ...audit.map((entry) => ({ at: entry.timestamp, key: `a${entry.id}`, entry })),
    ]
      .sort((a, b) => (a.at < b.at ? 1 : -1))
      .slice(0, TIMELINE);
    replace(events, entries.length === 0 && h("li", empty("clock", "No activity yet")), entries.map(draw));
  }

  function draw({ event, entry, at }) {
    if (event) {
      return h(
        "li",
        h("time.when.num.faint.small", { datetime: at, title: moment(at) }, ago(at)),
        h("span.sign.event", { title: "Event" }),
        h("a.clip.data.strong", { href: `/events?id=${event.id}` }, event.topic),
        h("span.clip.data.mono.small.faint", event.data === null ? "" : brief(event.data)),
      );
    }
    return h(
      "li",
      h("time.when.num.faint.small", { datetime: at, title: moment(at) }, ago(at)),
      h("span.sign", { title: "Audit" }),
      h("span.clip", entry.action, entry.outcome !== "success" && [" ", status(entry.outcome)]),
      h(
        "span.row.small",
        clip(entry.resource),
        h("span.faint.mono.clip.data", entry.detail === "{}" ? "" : entry.detail),
      ),
    );
  }

  const again = background(async () => {
    await load();
    await timeline();
  });
  return {
    abort,
    open: async () => {
      await load();
      ctx.root.append(
        top,
        inHand.element,
        numbers,
        h(
          ".panels.agent-parts",
          panel("Calls by hour", h("span.small.faint", "last 24 hours"), chart),
          flushPanel("Timeline", h("a.small", { href: withQuery("/audit", { actor: id }) }, "Audit log"), events),
        ),
      );
      await timeline();
    },
    arrive: (batch) => {
      if (batch.some(({ topic, data }) => topic === "$instance.deregistered" && data.instance_id === id)) {
        abort.abort();
        toast(`${agent?.name ?? "The agent"} was deregistered.`, "note");
        ctx.go("/agents");
      } else if (
        batch.some(
          ({ source, data }) =>
            source === agent?.name || source === id || data?.instance_id === id || data?.name === agent?.name,
        )
      )
        again();
    },
  };

  async function editIntent() {
    await openDialog(`Intent of ${agent.name}`, (close) =>
      form({
        fields: [
          { name: "intent", label: "What this agent is working on", type: "textarea", value: agent.intent, rows: 3 },
        ],
        submit: "Save",
        cancel: () => close(),
        onsubmit: async ({ intent }) => {
          await post(`${path}/intent`, { intent });
          close();
          toast("The intent is set.");
          await load();
        },
      }),
    );
  }
  async function deregister() {
    if (
      !(await confirm(
        "Deregister this agent?",
        `${agent.name} has to register again before it is known. Its token stops working; what it wrote stays.`,
        "Deregister",
      ))
    )
      return;
    await attempt(() => del(path), `${agent.name} is deregistered.`);
  }
}
