// Audit: who changed what, with what outcome; and whether the record is whole.

import { get, withQuery } from "../api.js";
import { ACTIONS } from "../audit-actions.js";
import { h, replace } from "../dom.js";
import { count, moment, plural, shortId } from "../format.js";
import { debounce, throttle } from "../timing.js";
import { badge, button, empty, flushPanel, pageHead, select, stat, status } from "../components/basics.js";
import { agentLink } from "../components/event-row.js";
import { more, table } from "../components/table.js";
import { toast } from "../components/toast.js";

const PAGE = 100;
const MOST = 10_000;
const FILTERS = ["actor", "action", "resource", "outcome", "from", "to"];

export async function open(ctx) {
  const { root, signal } = ctx;
  let filter = read(ctx.query);
  let entries = [];
  let limit = PAGE;
  const chain = h("span.row");
  const numbers = h(".stats");
  const list = table({
    label: "Audit entries, the newest first",
    key: ({ id }) => id,
    columns: [
      {
        label: "When",
        fit: true,
        render: ({ timestamp }) => h("time.num.faint", { datetime: timestamp }, moment(timestamp)),
      },
      { label: "Actor", render: ({ actor }) => agentLink(actor) },
      {
        label: "Action",
        fit: true,
        render: ({ action, outcome }) => [
          h("span.mono", action),
          outcome !== "success" && h("div.only-phone", status(outcome)),
        ],
      },
      { label: "Resource", render: ({ resource }) => h("span.data", resource) },
      {
        label: "Detail",
        wide: true,
        render: ({ detail }) =>
          detail !== "{}" && h("span.data.mono.small.faint", detail.length > 300 ? `${detail.slice(0, 300)}…` : detail),
      },
      { label: "Outcome", fit: true, wide: true, render: ({ outcome }) => status(outcome) },
    ],
  });
  const none = h("div");
  const older = more("Older ones", async () => {
    limit = Math.min(limit * 4, MOST);
    await load();
  });
  root.append(
    pageHead(
      "Audit",
      chain,
      button("Verify the chain", () => verify(true), { icon: "compliance" }),
    ),
    numbers,
    toolbar(),
    flushPanel(null, null, none, list, older),
  );

  async function load() {
    const times = { from: time(filter.from), to: time(filter.to) };
    const [found, summary] = await Promise.all([
      get("/api/audit", { query: { ...filter, ...times, limit }, signal }),
      get("/api/audit/summary", { query: times, signal }),
    ]);
    const known = new Map(entries.map((entry) => [entry.id, entry]));
    entries = found.map((entry) => known.get(entry.id) ?? entry);
    list.show(entries);
    list.hidden = entries.length === 0;
    older.hidden = entries.length < limit || limit === MOST;
    replace(none, entries.length === 0 && empty("audit", "No entry matches"));
    const { success = 0, denied = 0, error = 0 } = summary.outcome_counts;
    const [most] = Object.entries(summary.action_counts).sort(([, a], [, b]) => b - a);
    replace(
      numbers,
      stat("Entries", count(summary.total_entries)),
      stat("Done", count(success)),
      stat("Denied", count(denied)),
      stat("Failed", count(error)),
      stat("Actors", count(summary.unique_actors)),
      stat("Most often", h("span.often", most?.[0] ?? "–"), most && plural(most[1], "time")),
    );
  }

  async function verify(aloud) {
    const { valid, entries: n, head, broken_at: at } = await get("/api/audit/verify", { signal });
    replace(
      chain,
      badge(valid ? "chain intact" : `chain broken at entry ${at}`, valid ? "good" : "bad"),
      h("span.faint.small", { title: head }, `${plural(n, "entry", "entries")}, head `, h("span.mono", shortId(head))),
    );
    if (aloud)
      toast(
        valid
          ? `The chain is intact: ${plural(n, "entry", "entries")} verified.`
          : `Entry ${at} was changed after it was written.`,
        valid ? "" : "bad",
      );
  }

  function toolbar() {
    const change = (part) => ctx.go(withQuery("/audit", { ...filter, ...part }), { replace: true });
    const input = (name, label, more) =>
      h("input.input", {
        "aria-label": label,
        placeholder: label,
        value: filter[name],
        autocomplete: "off",
        spellcheck: "false",
        dir: "auto",
        oninput: debounce(({ target }) => change({ [name]: target.value }), 300),
        ...more,
      });
    return h(
      ".toolbar",
      input("actor", "Actor", { type: "search" }),
      select("Action", [["", "All actions"], ...ACTIONS.map((action) => [action, action])], filter.action, (action) =>
        change({ action }),
      ),
      input("resource", "Resource", { type: "search" }),
      select(
        "Outcome",
        [
          ["", "All outcomes"],
          ["success", "Done"],
          ["denied", "Denied"],
          ["error", "Failed"],
        ],
        filter.outcome,
        (outcome) => change({ outcome }),
      ),
      h("label.row", h("span.small.faint", "from"), input("from", "From", { type: "datetime-local" })),
      h("label.row", h("span.small.faint", "to"), input("to", "To", { type: "datetime-local" })),
    );
  }

  await Promise.all([load(), verify(false)]);
  ctx.on(
    ["$*", "llm.usage.recorded"],
    throttle(
      () =>
        load().catch((error) => {
          if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
        }),
      2000,
    ),
  );
  return {
    update: async ({ query }) => {
      filter = read(query);
      limit = PAGE;
      await load();
    },
    refresh: load,
  };
}

function read(query) {
  return Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
}

function time(local) {
  return local && new Date(local).toISOString();
}
