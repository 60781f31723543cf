// Costs: what the models cost, by project, agent, model or session, over time.

import { get, serverNow, withQuery } from "../api.js";
import { h, replace, setText } from "../dom.js";
import { compact, count, money, percent, plural } from "../format.js";
import { agentNames } from "../names.js";
import { throttle } from "../timing.js";
import { ago, clip, empty, flushPanel, pageHead, panel, segments, stat } from "../components/basics.js";
import { columns, legend, periods, series } from "../components/chart.js";
import { table } from "../components/table.js";
import { toast } from "../components/toast.js";

const GROUPS = [
  ["project", "Project"],
  ["instance", "Agent"],
  ["model", "Model"],
  ["session_tag", "Session"],
  ["task", "Task"],
];
const UNATTRIBUTED = "(unattributed)";
const SPANS = {
  "24h": ["24 hours", "hour", 24],
  "7d": ["7 days", "day", 7],
  "30d": ["30 days", "day", 30],
  "90d": ["90 days", "day", 90],
};
const MEASURES = [
  ["cost", "Cost"],
  ["tokens", "Tokens"],
  ["calls", "Calls"],
];
const MEASURE = {
  cost: ["total_cost_usd", money],
  tokens: [(total) => total.total_tokens_in + total.total_tokens_out, compact],
  calls: ["request_count", compact],
};
// As many series as there are colours; the rest is one more.
const SERIES = 6;
const LATEST = 100;
const MOST_ROWS = 300;
const AT_ONCE = 8;

const EMPTY = { total_tokens_in: 0, total_tokens_out: 0, total_cost_usd: 0, request_count: 0 };

export async function open(ctx) {
  // Sums by period: what is past does not change any more, so only the newest one is ever read again.
  let sums = new Map();
  let latest = [];
  let budgets = [];
  let nameOf = (id) => id;
  const lead = h("span");
  const tools = h(".toolbar");
  const body = h(".stack.costs");
  ctx.root.append(pageHead("Costs", lead), tools, body);

  const choice = () => {
    const of = (name, known, otherwise) => (known.includes(ctx.query.get(name)) ? ctx.query.get(name) : otherwise);
    return {
      by: of(
        "by",
        GROUPS.map(([name]) => name),
        "project",
      ),
      span: of("span", Object.keys(SPANS), "7d"),
      measure: of(
        "measure",
        MEASURES.map(([name]) => name),
        "cost",
      ),
    };
  };

  function labelOf(by, name) {
    if (!name)
      return { project: "no project", instance: "no agent", session_tag: "no session", task: "no task" }[by] ?? "none";
    return by === "instance" && name !== UNATTRIBUTED ? nameOf(name) : name;
  }

  let read = "";
  async function load() {
    const { by, span } = choice();
    const [, unit, n] = SPANS[span];
    if (read !== `${by} ${unit}`) sums = new Map();
    read = `${by} ${unit}`;
    const mine = sums;
    const wanted = periods(serverNow(), n, unit);
    const missing = wanted.filter((period, at) => !mine.has(period) || at >= n - 2);
    const [records, limits, names] = await Promise.all([
      get("/api/llm/usage", { query: { limit: LATEST }, signal: ctx.signal }),
      get("/api/budgets", { signal: ctx.signal }),
      agentNames({ signal: ctx.signal }),
      inTurn(missing, async (period) => {
        const { groups } = await get("/api/llm/usage/summary", {
          query: { group_by: by, ...rangeOf(period) },
          signal: ctx.signal,
        });
        // A map: a project may be called "constructor".
        mine.set(period, new Map(Object.entries(groups)));
      }),
    ]);
    if (mine !== sums) return;
    latest = records;
    budgets = limits;
    nameOf = names;
    paint(wanted);
  }

  function paint(wanted) {
    const { by, span, measure } = choice();
    const [key, write] = MEASURE[measure];
    const value = (total) => (typeof key === "string" ? total[key] : key(total));
    const groups = new Map();
    for (const period of wanted) {
      for (const [name, total] of sums.get(period) ?? []) groups.set(name, plus(groups.get(name) ?? EMPTY, total));
    }
    const ranked = [...groups].sort(([, a], [, b]) => value(b) - value(a));
    const all = ranked.reduce((sum, [, total]) => plus(sum, total), EMPTY);
    const words = SPANS[span][0];
    setText(lead, `The last ${words}`);
    paintTools();
    if (!all.request_count) {
      replace(
        body,
        h(
          ".panel",
          empty(
            "costs",
            latest.length ? `Nothing in the last ${words}` : "No usage yet",
            "The clients of agents report what their calls to models cost, once ",
            h("code", "koor mcp config CLIENT --telemetry"),
            " has told them where to.",
          ),
        ),
        budgets.length > 0 && flushPanel("Budgets", null, budgetTable(budgets)),
      );
      return;
    }
    const top = ranked.slice(0, SERIES);
    const rest = ranked.slice(SERIES);
    const at = (name) => wanted.map((period) => value(sums.get(period)?.get(name) ?? EMPTY));
    const parts = top.map(([name]) => ({ name: labelOf(by, name), values: at(name) }));
    if (rest.length) {
      const lines = rest.map(([name]) => at(name));
      parts.push({
        name: plural(rest.length, "other"),
        values: wanted.map((_, which) => lines.reduce((sum, line) => sum + line[which], 0)),
      });
    }
    const what = MEASURES.find(([name]) => name === measure)[1];
    const grouped = GROUPS.find(([name]) => name === by)[1];
    replace(
      body,
      h(
        ".stats",
        stat("Cost", money(all.total_cost_usd), `${money(all.total_cost_usd / all.request_count)} a call`),
        stat("Calls", compact(all.request_count)),
        stat("Tokens in", compact(all.total_tokens_in)),
        stat("Tokens out", compact(all.total_tokens_out)),
      ),
      budgets.length > 0 && flushPanel("Budgets", null, budgetTable(budgets)),
      panel(
        `${what} by ${grouped.toLowerCase()}`,
        segments("What is drawn", MEASURES, measure, (next) => choose("measure", next)),
        columns({
          label: `${what} by ${grouped.toLowerCase()} over the last ${words}`,
          labels: wanted.map((period) => shortly(period)),
          long: wanted.map((period) => fully(period)),
          parts,
          format: write,
          height: 200,
        }),
        legend(parts),
      ),
      flushPanel(`By ${grouped.toLowerCase()}`, null, groupTable(ranked, all, by, value)),
      flushPanel("Latest calls", null, latestTable(latest, nameOf)),
    );
  }

  function groupTable(ranked, all, by, value) {
    const most = value(all) || 1;
    const places = new Map(ranked.map(([name], at) => [name, at]));
    return [
      table({
        label: "Sums",
        key: ([name]) => name,
        sorted: null,
        columns: [
          {
            label: GROUPS.find(([name]) => name === by)[1],
            sort: ([name]) => labelOf(by, name),
            render: ([name]) =>
              h(
                ".row",
                h("span.swatch", { class: `back-${series(places.get(name))}` }),
                by === "instance" && name && name !== UNATTRIBUTED
                  ? h("a.data.strong", { href: `/agents/${encodeURIComponent(name)}` }, labelOf(by, name))
                  : h("span.data.strong", { class: name ? "" : "faint" }, labelOf(by, name)),
              ),
          },
          {
            label: "Cost",
            end: true,
            fit: true,
            sort: ([, total]) => total.total_cost_usd,
            render: ([, total]) => money(total.total_cost_usd),
          },
          {
            label: "Share",
            sort: ([, total]) => value(total),
            render: ([name, total]) =>
              h(
                ".row.share",
                h(
                  ".bar",
                  h("i", {
                    class: `back-${series(places.get(name))}`,
                    style: { width: `${(100 * value(total)) / most}%` },
                  }),
                ),
                h("span.faint.small.num", percent((100 * value(total)) / most)),
              ),
          },
          {
            label: "Calls",
            end: true,
            fit: true,
            sort: ([, total]) => total.request_count,
            render: ([, total]) => count(total.request_count),
          },
          {
            label: "Tokens in",
            end: true,
            fit: true,
            sort: ([, total]) => total.total_tokens_in,
            render: ([, total]) => count(total.total_tokens_in),
          },
          {
            label: "Tokens out",
            end: true,
            fit: true,
            sort: ([, total]) => total.total_tokens_out,
            render: ([, total]) => count(total.total_tokens_out),
          },
        ],
      }).show(ranked.slice(0, MOST_ROWS)),
      ranked.length > MOST_ROWS && h("p.padded.faint.small", `The first ${MOST_ROWS} of ${count(ranked.length)}.`),
    ];
  }

  let painted = "";
  function paintTools() {
    const { by, span } = choice();
    if (painted === `${by} ${span}`) return;
    painted = `${by} ${span}`;
    const held = tools.contains(document.activeElement) && document.activeElement.textContent;
    replace(
      tools,
      segments("By", GROUPS, by, (next) => choose("by", next)),
      segments(
        "Over",
        Object.entries(SPANS).map(([name, [words]]) => [name, words]),
        span,
        (next) => choose("span", next),
      ),
    );
    if (held) [...tools.querySelectorAll("button")].find(({ textContent }) => textContent === held)?.focus();
  }

  function choose(name, value) {
    ctx.go(withQuery("/costs", { ...Object.fromEntries(ctx.query), [name]: value }), { replace: true });
  }

  ctx.on(
    ["llm.usage.recorded", "$budget.*", "$backup.restored"],
    throttle(
      () =>
        load().catch((error) => {
          if (error.name === "ApiError") toast(error.message, "bad");
          else if (error.name !== "AbortError") throw error;
        }),
      1000,
    ),
  );
  await load();
  return {
    update: load,
    refresh: () => {
      read = "";
      return load();
    },
  };
}

function plus(a, b) {
  return {
    total_tokens_in: a.total_tokens_in + b.total_tokens_in,
    total_tokens_out: a.total_tokens_out + b.total_tokens_out,
    total_cost_usd: a.total_cost_usd + b.total_cost_usd,
    request_count: a.request_count + b.request_count,
  };
}

/** Does the work for each item, a few at a time. */
async function inTurn(items, work) {
  const left = [...items];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left.length) await work(left.shift());
    }),
  );
}

// Both ends are inclusive, and times have milliseconds.
function rangeOf(period) {
  return period.length === 10
    ? { from: `${period}T00:00:00.000Z`, to: `${period}T23:59:59.999Z` }
    : { from: `${period}:00:00.000Z`, to: `${period}:59:59.999Z` };
}

function shortly(period) {
  if (period.length > 10)
    return new Date(`${period}:00:00Z`).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return new Date(`${period}T00:00:00Z`).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    timeZone: "UTC",
  });
}

function fully(period) {
  return period.length > 10 ? `${shortly(period)}, for an hour` : `${shortly(period)} (UTC)`;
}

function latestTable(records, nameOf) {
  return table({
    label: "Latest calls",
    key: ({ id }) => id,
    columns: [
      { label: "When", fit: true, render: ({ created_at }) => ago(created_at, " ago") },
      {
        label: "Agent",
        render: ({ instance_id }) =>
          instance_id && instance_id !== UNATTRIBUTED
            ? h("a.data", { href: `/agents/${encodeURIComponent(instance_id)}` }, nameOf(instance_id))
            : h("span.faint", instance_id || "–"),
      },
      {
        label: "Model",
        render: ({ provider, model }) => h("span", h("span.data", model), h("span.faint.data.small", ` ${provider}`)),
      },
      { label: "Project", render: ({ project }) => h("span.data", project) },
      { label: "Task", render: ({ task }) => h("span.data", task) },
      { label: "Session", render: ({ session_tag, session }) => clip(session_tag || session) },
      { label: "Tokens in", end: true, fit: true, render: ({ tokens_in }) => count(tokens_in) },
      { label: "Tokens out", end: true, fit: true, render: ({ tokens_out }) => count(tokens_out) },
      {
        label: "Cost",
        end: true,
        fit: true,
        render: ({ cost_usd, priced }) => (priced === false ? h("span.faint", "no price") : money(cost_usd)),
      },
    ],
  }).show(records);
}

const DAY = 86_400_000;

/** When the period of a budget began, in milliseconds; null for one that never ends. */
function beginningOf({ period, resets_at }) {
  if (!resets_at) return null;
  const end = new Date(resets_at);
  if (period === "month") return end.setUTCMonth(end.getUTCMonth() - 1);
  return end.getTime() - (period === "week" ? 7 : 1) * DAY;
}

/** What will be spent at the end of the period, if it goes on as it did; null where that can't be told. */
function forecast(budget, used) {
  const begun = beginningOf(budget);
  if (begun === null) return null;
  const now = serverNow();
  const passed = (Number(now) - begun) / (Date.parse(budget.resets_at) - begun);
  return passed > 0.01 ? used / passed : null;
}

function budgetTable(budgets) {
  const states = { ok: "within", warned: "over 80 %", exceeded: "used up" };
  const spent = (used, limit, write) =>
    limit === null
      ? h("span.faint", write(used))
      : h(
          ".row.share",
          h(".bar", h("i.back-1", { style: { width: `${Math.min(100, (100 * used) / limit)}%` } })),
          h("span.num", `${write(used)} of ${write(limit)}`),
        );
  const end = (budget) => {
    const [used, limit, write] =
      budget.usd !== null ? [budget.used_usd, budget.usd, money] : [budget.used_tokens, budget.tokens, compact];
    const ends = forecast(budget, used);
    if (ends === null) return h("span.faint", "–");
    return h("span.num", { class: limit !== null && ends > limit ? "strong" : "" }, write(ends));
  };
  return table({
    label: "Budgets",
    key: ({ project }) => project,
    columns: [
      { label: "Project", render: ({ project }) => h("span.data.strong", project) },
      { label: "Period", fit: true, render: ({ period }) => period },
      { label: "State", fit: true, render: ({ state, action }) => `${states[state]}, ${action}` },
      { label: "Cost", render: (budget) => spent(budget.used_usd, budget.usd, money) },
      { label: "Tokens", render: (budget) => spent(budget.used_tokens, budget.tokens, compact) },
      { label: "At the end", end: true, fit: true, render: end },
    ],
  }).show(budgets);
}
