// Rules: what waits for a decision, what is in force, and what it would find.

import { get, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { count } from "../format.js";
import { agentNames } from "../names.js";
import { throttle } from "../timing.js";
import { ago, badge, button, empty, pageHead, panel, search, select, status } from "../components/basics.js";
import { more } from "../components/table.js";
import { toast } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";
import { decisions, kindOf, pathOfRule, proposer, ruleDetail } from "./rules/detail.js";
import { editRule, exportRules, importRules } from "./rules/forms.js";
import { trial } from "./rules/trial.js";

const TOPICS = [
  "$rule.*",
  "$rules.changed",
  "$template.applied",
  "$backup.restored",
  "$instance.registered",
  "$instance.deregistered",
];
const LINE = 54;
const PROPOSALS = 12;

export async function open(ctx) {
  let rules = [];
  let nameOf = (id) => id;
  let proposalsShown = PROPOSALS;
  let chosen = null;
  let signs = "";

  const lead = h("span");
  const proposals = h(".stack");
  const tools = h(".toolbar");
  const shown = h("span.faint.num", { "aria-live": "polite" });
  const nothing = h("div");
  const list = virtualList({
    label: "Rules",
    height: LINE,
    draw: line,
    key: pathOfRule,
    onpick: (rule) => ctx.go(address(pathOfRule(rule))),
    isChosen: (rule) => pathOfRule(rule) === chosen,
  });
  list.classList.add("rules-list");
  const split = h(".rules-split", h(".panel", list, nothing), h(".rules-side"));

  const head = pageHead(
    "Rules",
    lead,
    h("a.button", { href: "/rules/try" }, "Try a text"),
    button("Import", async () => (await importRules(rules)) && load(), { icon: "upload" }),
    button("Export", exportRules, { icon: "download" }),
    button("Add a rule", add, { icon: "plus", tone: "primary" }),
  );

  function address(rest = "", query = ctx.query) {
    return withQuery(rest ? `/rules/${rest}` : "/rules", Object.fromEntries(query));
  }

  function filter(name, value) {
    const query = new URLSearchParams(ctx.query);
    if (value) query.set(name, value);
    else query.delete(name);
    ctx.go(address("", query), { replace: true });
  }

  async function add() {
    const made = await editRule(null, { projects: projects(), project: ctx.query.get("project") ?? "" });
    if (made) toast(`${made.project}/${made.rule_id} is in force now.`);
  }

  async function edit(rule) {
    const made = await editRule(rule, { projects: projects() });
    if (made) toast(`${made.project}/${made.rule_id} is saved.`);
  }

  const projects = () => [...new Set(rules.map(({ project }) => project))].sort();

  async function load() {
    const [read, names] = await Promise.all([
      get("/api/rules", { signal: ctx.signal }),
      agentNames({ signal: ctx.signal }),
    ]);
    rules = read;
    nameOf = names;
    paint();
  }

  function matching() {
    const [project, stack, source, wanted] = ["project", "stack", "source", "status"].map((name) =>
      ctx.query.get(name),
    );
    const text = (ctx.query.get("q") ?? "").toLowerCase();
    return rules.filter(
      (rule) =>
        (!project || rule.project === project) &&
        (!stack || rule.stack === stack) &&
        (!source || rule.source === source) &&
        (!wanted || rule.status === wanted) &&
        (!text || `${rule.rule_id} ${rule.message} ${rule.pattern} ${rule.project}`.toLowerCase().includes(text)),
    );
  }

  function paint() {
    const waiting = rules.filter((rule) => rule.status === "proposed");
    const inForce = rules.filter((rule) => rule.status === "accepted").length;
    replace(lead, `${count(inForce)} in force${waiting.length ? `, ${count(waiting.length)} proposed` : ""}`);
    paintProposals(waiting);
    paintTools();
    const found = matching();
    replace(shown, found.length === rules.length ? "" : `${count(found.length)} of ${count(rules.length)}`);
    list.style.setProperty("height", `min(calc(100dvh - 13rem), ${Math.max(found.length, 1) * LINE}px)`);
    list.hidden = !found.length;
    replace(
      nothing,
      !found.length &&
        (rules.length
          ? empty("filter", "No rule matches", h("a", { href: "/rules" }, "Show all"))
          : empty(
              "rules",
              "No rules yet",
              "A rule says what files of a project must or must not contain. Add one here, or with ",
              h("code", "koor rules import --file <path>"),
              "; agents propose theirs with ",
              h("code", "koor rules propose"),
              ".",
            )),
    );
    list.show(found);
    paintSide();
  }

  function paintProposals(waiting) {
    if (!waiting.length || chosen) return replace(proposals);
    return replace(
      proposals,
      panel(
        h(".row", h("h2", "Waiting for your decision"), badge(count(waiting.length), "warn")),
        null,
        h(
          "ul.proposals",
          waiting.slice(0, proposalsShown).map((rule) => proposal(rule, nameOf, address)),
        ),
      ),
      waiting.length > proposalsShown &&
        more(`Show more of ${count(waiting.length)}`, () => {
          proposalsShown += PROPOSALS * 4;
          paintProposals(waiting);
        }),
    );
  }

  function paintTools() {
    const stacks = [...new Set(rules.map(({ stack }) => stack).filter(Boolean))].sort();
    const next = JSON.stringify([projects(), stacks, [...ctx.query].filter(([name]) => name !== "q")]);
    if (next === signs) return;
    signs = next;
    const at = (name) => ctx.query.get(name) ?? "";
    const named = (names) => names.map((name) => [name, name]);
    const held = tools.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    replace(
      tools,
      search("Search rules", at("q"), (text) => filter("q", text)),
      select("Project", [["", "All projects"], ...named(projects())], at("project"), (value) =>
        filter("project", value),
      ),
      select("Stack", [["", "All stacks"], ...named(stacks)], at("stack"), (value) => filter("stack", value)),
      select("Source", [["", "All sources"], ...named(["local", "learned", "external"])], at("source"), (value) =>
        filter("source", value),
      ),
      select("Status", [["", "All statuses"], ...named(["accepted", "proposed", "rejected"])], at("status"), (value) =>
        filter("status", value),
      ),
      shown,
    );
    if (held) tools.querySelector(`[aria-label="${held}"]`)?.focus();
  }

  let sideOf = null;
  function paintSide() {
    const rule = rules.find((one) => pathOfRule(one) === chosen);
    const now = chosen && (rule ? JSON.stringify(rule) : "gone");
    split.classList.toggle("picked", Boolean(chosen));
    if (now === sideOf) return;
    sideOf = now;
    ctx.title(rule ? `${rule.rule_id} · Rules` : "Rules");
    replace(
      split.lastChild,
      chosen &&
        (rule
          ? ruleDetail(rule, { nameOf, back: address(), edit: () => edit(rule), gone: () => ctx.go(address()) })
          : h(
              ".panel",
              empty(
                "rules",
                "This rule is not there",
                "It was deleted, or never existed. ",
                h("a", { href: address() }, "Back to all rules"),
              ),
            )),
    );
  }

  function show() {
    const rest = ctx.rest.split("/");
    if (rest.length === 1 && rest[0] === "try") {
      sideOf = null;
      replace(ctx.root, ...tryPage(ctx, projects()));
      ctx.title("Try a text · Rules");
      return;
    }
    chosen = rest.length === 2 ? rest.map(encodeURIComponent).join("/") : null;
    if (!split.isConnected) replace(ctx.root, head, proposals, tools, split);
    paint();
    list.redraw();
  }

  const reload = throttle(() => attemptLoad(load), 400);
  ctx.on(TOPICS, reload);
  await load();
  show();
  return { update: show, refresh: load };
}

// What a live reload can't read is said; the page keeps what it has.
const attemptLoad = (load) =>
  load().catch((error) => {
    if (error.name === "ApiError") toast(error.message, "bad");
    else if (error.name !== "AbortError") throw error;
  });

function line(rule) {
  return [
    h(
      "span.dot",
      { class: rule.status !== "accepted" ? "" : rule.severity === "error" ? "bad" : "warn", title: rule.severity },
      h("span.unseen", rule.severity),
    ),
    h(
      ".grow.two",
      h(
        ".row",
        h("span.strong.clip.data", rule.rule_id),
        rule.message && h("span.clip.data.soft.wide-only", rule.message),
      ),
      h(".row.small", h("span.faint.wide-only", kindOf(rule)), h("code.clip.data.faint", rule.pattern)),
    ),
    h(
      "span.row.marks",
      rule.stack && h("span.tag.wide-only", rule.stack),
      h("span.tag", rule.project),
      rule.source !== "local" && h("span.badge.wide-only", rule.source),
      rule.status !== "accepted" && status(rule.status),
    ),
  ];
}

function proposal(rule, nameOf, address) {
  return h(
    "li.proposal",
    h(
      ".grow.stack.tight",
      h(
        ".row.wrap",
        h("a.strong.data", { href: address(pathOfRule(rule)) }, rule.rule_id),
        h("span.tag", rule.project),
        badge(rule.severity, rule.severity === "error" ? "bad" : "warn"),
        h("span.faint.small.row", rule.proposed_by && proposer(rule, nameOf), ago(rule.created_at, " ago")),
      ),
      rule.message && h("p.data", rule.message),
      h(".row.wrap", h("span.faint.small", kindOf(rule)), h("code.data.proposal-pattern", rule.pattern)),
      rule.context && h("p.soft.data.small.proposal-context", rule.context),
    ),
    h(
      ".row.proposal-acts",
      h("a.button.quiet", { href: address(pathOfRule(rule)), "aria-label": `Details of ${rule.rule_id}` }, "Details"),
      decisions(rule),
    ),
  );
}

function tryPage(ctx, projects) {
  const at = (name) => h("input.input", { name, "aria-label": name });
  const [project, filename, stack] = [at("Project"), at("File name"), at("Stack")];
  project.value = ctx.query.get("project") ?? projects.find((name) => name !== "_global") ?? "_global";
  filename.placeholder = "any file, e.g. src/app.ts";
  stack.placeholder = "every stack";
  project.setAttribute("list", "try-projects");
  const test = trial({
    project: () => project.value.trim() || "_global",
    file: () => ({ filename: filename.value.trim(), stack: stack.value.trim() }),
    rows: 16,
    label: "Text to check",
  });
  const again = () => test.check();
  for (const input of [project, filename, stack]) input.addEventListener("change", again);
  const named = (label, input) => h("label.field", h("span.label", label), input);
  return [
    pageHead(
      "Try a text",
      "The project’s rules in force and those of _global, run by the server.",
      h("a.button", { href: "/rules" }, "Back to the rules"),
    ),
    panel(
      null,
      null,
      h(
        ".stack",
        h(".fields", named("Project", project), named("File name", filename), named("Stack", stack)),
        h(
          "datalist",
          { id: "try-projects" },
          projects.map((value) => h("option", { value })),
        ),
        test,
        h(".form-foot", h("span.grow"), button("Check", again, { tone: "primary" })),
      ),
    ),
  ];
}
