// Agents: who is registered, and what one of them has been doing.

import { get, post, serverNow } from "../api.js";
import { h, replace } from "../dom.js";
import { count, plural } from "../format.js";
import { throttle } from "../timing.js";
import {
  ago,
  attention,
  button,
  byAttention,
  empty,
  face,
  flushPanel,
  pageHead,
  search,
  segments,
  status,
} from "../components/basics.js";
import { table } from "../components/table.js";
import { attempt } from "../components/toast.js";
import { one } from "./agents/one.js";

const REFRESH = 5000;

export async function open(ctx) {
  const update = async () => {
    stop();
    ctx.root.replaceChildren();
    shown = ctx.rest ? one(ctx, ctx.rest) : all(ctx);
    await shown.open();
  };
  let shown = null;
  const stop = () => shown?.abort.abort();
  ctx.on(["*", "$*"], (events) => shown?.arrive(events));
  ctx.signal.addEventListener("abort", stop);
  await update();
  return { update, refresh: update };
}

/** Reads in the background; when that fails, the banner has said why already. */
export function background(work) {
  return throttle(
    () =>
      work().catch((error) => {
        if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
      }),
    REFRESH,
  );
}

function all(ctx) {
  const abort = new AbortController();
  const { signal } = abort;
  const tally = h("span.lead.num");
  let agents = [];
  let wanted = (ctx.query.get("q") ?? "").toLowerCase();
  let only = "";
  const list = table({
    label: "Agents",
    key: ({ id }) => id,
    go: ctx.go,
    href: ({ id }) => `/agents/${encodeURIComponent(id)}`,
    sorted: { at: 1, down: false },
    columns: [
      {
        label: "Name",
        sort: ({ name }) => name.toLowerCase(),
        render: ({ id, name }) =>
          h(".row", face(name), h("a.strong.clip.data", { href: `/agents/${encodeURIComponent(id)}` }, name)),
      },
      { label: "Status", fit: true, sort: (agent) => attention(agent.status), render: (agent) => status(agent.status) },
      {
        label: "Seen",
        fit: true,
        sort: ({ last_seen: seen }) => -Date.parse(seen),
        render: ({ last_seen: seen }) => ago(seen, " ago"),
      },
      {
        label: "Intent",
        wide: true,
        render: ({ intent }) => h("span.data", { class: intent ? "intent" : "faint" }, intent || "no intent"),
      },
      {
        label: "Stack",
        fit: true,
        wide: true,
        sort: ({ stack }) => stack,
        render: ({ stack }) => stack && h("span.tag", stack),
      },
      {
        label: "Capabilities",
        wide: true,
        render: ({ capabilities }) =>
          h(
            ".row.wrap.tags",
            capabilities.slice(0, 6).map((text) => h("span.tag", text)),
          ),
      },
      {
        label: "This hour",
        fit: true,
        end: true,
        wide: true,
        sort: ({ calls }) => -calls,
        render: ({ calls }) => count(calls),
      },
    ],
  });
  const none = h("div");

  async function load() {
    const [instances, hour] = await Promise.all([
      get("/api/instances", { signal }),
      get("/api/metrics/agents", { query: { period: new Date(serverNow()).toISOString().slice(0, 13) }, signal }),
    ]);
    const calls = new Map(
      hour.map(({ instance_id: id, metrics }) => [id, (metrics.rest_calls ?? 0) + (metrics.mcp_calls ?? 0)]),
    );
    const known = new Map(agents.map((agent) => [agent.id, agent]));
    agents = instances.sort(byAttention).map((instance) => {
      const next = { ...instance, calls: calls.get(instance.id) ?? 0 };
      next.text = JSON.stringify(next).toLowerCase();
      const before = known.get(next.id);
      return before?.text === next.text ? before : next;
    });
    paint();
  }
  function paint() {
    const found = agents.filter(
      (agent) => (!only || agent.status === only) && (!wanted || agent.text.includes(wanted)),
    );
    list.show(found);
    list.hidden = found.length === 0;
    replace(
      none,
      found.length === 0 &&
        (agents.length
          ? empty("search", "No agent matches")
          : empty(
              "agents",
              "No agents yet",
              "An agent registers through MCP, or with ",
              h("code", "koor register <name>"),
              ".",
            )),
    );
    replace(
      tally,
      `${plural(agents.filter((agent) => agent.status === "active").length, "agent")} active, ${count(agents.length)} registered`,
    );
  }
  const again = background(load);
  return {
    abort,
    open: async () => {
      ctx.title("Agents");
      ctx.root.append(
        pageHead("Agents", tally, button("Check for stale agents", check, { icon: "refresh" })),
        h(
          ".toolbar",
          search("Name, intent, stack, capability", wanted, (text) => {
            wanted = text.toLowerCase();
            paint();
          }),
          segments(
            "Status",
            [
              ["", "All"],
              ["active", "Active"],
              ["stale", "Stale"],
              ["pending", "Pending"],
            ],
            only,
            (next) => {
              only = next;
              paint();
            },
          ),
        ),
        flushPanel(null, null, none, list),
      );
      await load();
    },
    arrive: again,
  };
  function check() {
    attempt(
      () => post("/api/liveness/check"),
      ({ count: n }) => (n ? `${plural(n, "agent")} became stale.` : "No agent became stale."),
    );
  }
}
