// Compliance: whether each agent's project keeps its own contracts, now and before.

import { get, post, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { count, moment, plural } from "../format.js";
import { agentLink, agentNames } from "../names.js";
import { throttle } from "../timing.js";
import { ago, badge, button, empty, pageHead, flushPanel, segments, select } from "../components/basics.js";
import { openDialog } from "../components/dialog.js";
import { more } from "../components/table.js";
import { attempt, toast } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";
import { violationList } from "./specs/payload.js";

const TOPICS = ["compliance.violation", "$backup.restored", "$instance.registered", "$instance.deregistered"];
const LINE = 40;
// Enough to hold the newest run of every agent and contract of a busy server.
const RUNS = 2000;
const FEW = 3;
const STANDING = 12;
const MOST_AGENTS = 6;

const contractHref = ({ project, contract }) => `/specs/${encodeURIComponent(project)}/${encodeURIComponent(contract)}`;

export async function open(ctx) {
  let runs = [];
  let recent = [];
  let nameOf = (id) => id;
  let standing = STANDING;
  const lead = h("span");
  const now = h("div");
  const tools = h(".toolbar");
  const shown = h("span.faint.num", { "aria-live": "polite" });
  const nothing = h("div");
  const list = virtualList({
    label: "Runs",
    height: LINE,
    draw: line,
    key: ({ id }) => id,
    onpick: look,
  });
  const check = button("Run now", run, { icon: "play", tone: "primary" });
  ctx.root.append(pageHead("Compliance", lead, check), now, tools, h(".panel", list, nothing));

  async function run() {
    check.disabled = true;
    await attempt(
      () => post("/api/compliance/run"),
      ({ count: n, runs: done }) => {
        const failed = done.filter(({ pass }) => !pass).length;
        return n === 0
          ? "Nothing to check: no active agent’s project has a contract."
          : `${plural(n, "check")} run: ${failed ? `${count(failed)} failed.` : "all passed."}`;
      },
    );
    check.disabled = false;
    await load();
  }

  async function load() {
    const [read, names, picked] = await Promise.all([
      get("/api/compliance/history", { query: { limit: RUNS }, signal: ctx.signal }),
      agentNames({ signal: ctx.signal }),
      filtered(),
    ]);
    recent = read;
    nameOf = names;
    runs = picked ?? read;
    paint();
  }

  /** The runs that the filters ask for, by the server: it knows more of them than the newest. */
  async function filtered() {
    const query = Object.fromEntries(["project", "pass", "instance_id"].map((name) => [name, ctx.query.get(name)]));
    if (!Object.values(query).some(Boolean)) return null;
    return get("/api/compliance/history", { query: { ...query, limit: RUNS }, signal: ctx.signal });
  }

  function paint() {
    paintNow();
    paintTools();
    replace(shown, runs.length >= RUNS ? `the newest ${count(RUNS)}` : plural(runs.length, "run"));
    list.hidden = !runs.length;
    replace(
      nothing,
      !runs.length &&
        (recent.length
          ? empty("filter", "No run matches", h("a", { href: "/compliance" }, "Show all"))
          : empty(
              "compliance",
              "No checks yet",
              "The contracts of each active agent’s project are checked every five minutes. Check them now with the button above, or with ",
              h("code", "koor compliance run"),
              ".",
            )),
    );
    list.style.setProperty("height", `min(calc(100dvh - 12rem), ${Math.max(runs.length, 1) * LINE}px)`);
    list.show(runs);
    list.redraw();
  }

  function paintNow() {
    const latest = new Map();
    for (const one of recent) {
      const key = JSON.stringify([one.instance_id, one.project, one.contract]);
      if (!latest.has(key)) latest.set(key, one);
    }
    const all = [...latest.values()];
    const failing = together(all.filter(({ pass }) => !pass));
    const contracts = (some) => new Set(some.map(contractHref)).size;
    const broken = contracts(failing);
    replace(
      lead,
      all.length
        ? broken
          ? `${count(broken)} of ${plural(contracts(all), "contract")} ${broken === 1 ? "fails" : "fail"}`
          : `${plural(contracts(all), "contract")}, all kept`
        : "",
    );
    if (!all.length) return replace(now);
    return replace(
      now,
      failing.length
        ? flushPanel(
            h(".row", h("h2", "Failing now"), badge(count(failing.length), "bad")),
            null,
            h(
              "ul.failing",
              failing.slice(0, standing).map((one) => failingItem(one, nameOf, look)),
            ),
            failing.length > standing &&
              more(`Show more of ${count(failing.length)}`, () => {
                standing += STANDING * 4;
                paintNow();
              }),
          )
        : h(
            ".notice.good",
            `Every contract passed when it was last checked${all[0] ? ", " : ""}`,
            ago(all[0].run_at, " ago"),
            ".",
          ),
    );
  }

  function paintTools() {
    const projects = [...new Set(recent.map(({ project }) => project))].sort();
    const agents = [...new Map(recent.map(({ instance_id: id }) => [id, nameOf(id)]))].sort(([, a], [, b]) =>
      a.localeCompare(b),
    );
    const at = (name) => ctx.query.get(name) ?? "";
    const held = document.activeElement?.getAttribute("aria-label");
    const inside = tools.contains(document.activeElement);
    replace(
      tools,
      h("h2", "History"),
      segments(
        "Outcome",
        [
          ["", "All"],
          ["false", "Failed"],
          ["true", "Passed"],
        ],
        at("pass"),
        (value) => filter("pass", value),
      ),
      select("Project", [["", "All projects"], ...projects.map((name) => [name, name])], at("project"), (value) =>
        filter("project", value),
      ),
      select("Agent", [["", "All agents"], ...agents], at("instance_id"), (value) => filter("instance_id", value)),
      shown,
    );
    if (inside && held) tools.querySelector(`[aria-label="${held}"]`)?.focus();
  }

  function filter(name, value) {
    ctx.go(withQuery("/compliance", { ...Object.fromEntries(ctx.query), [name]: value }), { replace: true });
  }

  function look(one) {
    return openDialog(
      `${one.project}/${one.contract}`,
      (close) =>
        h(
          ".stack",
          h(
            "dl.facts",
            h("dt", "Outcome"),
            h("dd", outcome(one)),
            h("dt", "Agent"),
            h("dd", { onclick: () => close() }, agentLink(one.instance_id, nameOf)),
            h("dt", "Checked"),
            h("dd", moment(one.run_at)),
          ),
          one.violations.length > 0 && violationList(one.violations),
          h(".form-foot", h("a.button", { href: contractHref(one), onclick: () => close() }, "Open the contract")),
        ),
      { wide: one.violations.length > 0 },
    );
  }

  function line(one) {
    return [
      outcome(one),
      h("span.clip.data.strong", `${one.project}/${one.contract}`),
      h(
        "span.row.grow.soft",
        h(
          "span.clip.data",
          one.violations[0] ? [one.violations[0].path, one.violations[0].message].filter(Boolean).join(": ") : "",
        ),
      ),
      one.violations.length > 1 && h("span.faint.small.num.wide-only", `and ${count(one.violations.length - 1)} more`),
      h("span.clip.data.faint.wide-only.run-agent", nameOf(one.instance_id)),
      h("span.faint.small.run-when", ago(one.run_at, " ago")),
    ];
  }

  const reload = throttle(
    () =>
      load().catch((error) => {
        if (error.name === "ApiError") toast(error.message, "bad");
        else if (error.name !== "AbortError") throw error;
      }),
    700,
  );
  ctx.on(TOPICS, reload);
  await load();
  return {
    refresh: load,
    update: async () => {
      runs = (await filtered()) ?? recent;
      paint();
    },
  };
}

function outcome({ pass }) {
  return badge(pass ? "pass" : "fail", pass ? "good" : "bad");
}

/** Runs that found the same in the same contract, as one with all its agents. */
function together(runs) {
  const groups = Map.groupBy(runs, (one) => JSON.stringify([one.project, one.contract, one.violations]));
  return [...groups.values()].map((same) => ({ ...same[0], agents: same.map(({ instance_id }) => instance_id) }));
}

function failingItem(one, nameOf, look) {
  const rest = one.violations.length - FEW;
  return h(
    "li",
    h(
      ".row.wrap",
      h("a.strong.data", { href: contractHref(one) }, `${one.project}/${one.contract}`),
      one.agents.slice(0, MOST_AGENTS).map((id) => agentLink(id, nameOf)),
      one.agents.length > MOST_AGENTS && h("span.faint.small", `and ${count(one.agents.length - MOST_AGENTS)} more`),
      h("span.faint.small.push", ago(one.run_at, " ago")),
    ),
    h(
      "ul.breaches",
      one.violations
        .slice(0, FEW)
        .map(({ path, message }) => h("li", path && h("code.data", path), h("span.data", message))),
    ),
    rest > 0 &&
      h(
        "div",
        button(`${plural(rest, "more violation")}`, () => look(one), { little: true, tone: "quiet" }),
      ),
  );
}
