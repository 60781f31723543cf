// What can be written down about rules: a new one, a change, an import, an export.

import { ApiError, get, post } from "../../api.js";
import { h, replace } from "../../dom.js";
import { isGlob } from "../../glob.js";
import { plural } from "../../format.js";
import { button, download } from "../../components/basics.js";
import { openDialog } from "../../components/dialog.js";
import { form } from "../../components/form.js";
import { toast } from "../../components/toast.js";
import { trial } from "./trial.js";

const SEVERITIES = [
  ["error", "Error"],
  ["warning", "Warning"],
];
const TYPES = [
  ["regex", "Regex: nothing may match"],
  ["missing", "Missing: something must match"],
  ["custom", "Built-in check"],
];
const SOURCES = [
  ["local", "Local: the project’s own"],
  ["learned", "Learned: proposed by an agent"],
  ["external", "External: imported"],
];
const CHECKS = "no-console-log, no-merge-markers, no-secrets, no-tabs, no-trailing-whitespace, max-line-length:100";

/** Asks for a new rule, or for a change of one. The promise is the rule as it was sent, or undefined. */
export function editRule(rule, { projects, project = "" }) {
  const title = rule ? `Edit ${rule.rule_id}` : "Add a rule";
  return openDialog(
    title,
    (close) => {
      const made = form({
        fields: fields(
          rule ?? { project, severity: "error", match_type: "regex", applies_to: ["*"], source: "local" },
          Boolean(rule),
          projects,
        ),
        submit: !rule ? "Add" : rule.status === "accepted" ? "Save" : "Save and accept",
        cancel: () => close(),
        children: [h(".field", h("span.label", "Try it before you save"), tried())],
        onsubmit: async (values) => {
          const sent = rule ? { ...rule, ...values } : values;
          const now = await find(sent.project, sent.rule_id);
          if (!rule && now) throw new ApiError(409, null, `There is a rule ${sent.project}/${sent.rule_id} already.`);
          if (rule && JSON.stringify(now) !== JSON.stringify(rule)) {
            throw new ApiError(
              409,
              null,
              now
                ? "This rule has changed meanwhile. Close this dialog and review it."
                : "This rule was deleted meanwhile.",
            );
          }
          await post("/api/rules/import", [sent]);
          close(sent);
        },
      });
      function tried() {
        const value = (name) => made.inputs.get(name)?.input.value.trim() ?? "";
        const list = (name) =>
          value(name)
            .split(/[,\n]/)
            .map((item) => item.trim())
            .filter(Boolean);
        const drafts = () => [
          {
            rule_id: rule?.rule_id ?? (value("rule_id") || "this-rule"),
            severity: value("severity"),
            match_type: value("match_type"),
            pattern: value("pattern"),
            message: value("message"),
            applies_to: list("applies_to"),
          },
        ];
        const test = trial({ project: () => rule?.project || value("project") || "_global", rules: drafts, rows: 4 });
        queueMicrotask(() => made.addEventListener("input", ({ target }) => target.name && test.check()));
        return test;
      }
      return made;
    },
    { wide: true },
  );
}

function fields(rule, fixed, projects) {
  return [
    ...(fixed
      ? []
      : [
          {
            name: "project",
            label: "Project",
            value: rule.project,
            required: true,
            suggestions: projects,
            hint: "_global holds for every project.",
          },
          { name: "rule_id", label: "Name", value: rule.rule_id, required: true, placeholder: "no-console-log" },
        ]),
    { name: "severity", label: "Severity", type: "select", options: SEVERITIES, value: rule.severity },
    { name: "match_type", label: "Kind", type: "select", options: TYPES, value: rule.match_type },
    {
      name: "pattern",
      label: "Pattern",
      value: rule.pattern,
      required: true,
      mono: true,
      wide: true,
      hint: `A regex (RE2 syntax, look-around and back-references), or one of: ${CHECKS}.`,
    },
    {
      name: "message",
      label: "What it says",
      value: rule.message,
      wide: true,
      placeholder: "Why this is not wanted, and what to do instead",
    },
    {
      name: "applies_to",
      label: "Files",
      value: rule.applies_to.join(", "),
      list: true,
      mono: true,
      hint: "Globs over the path or the file’s name, separated by commas.",
      check: (globs) => globs.filter((glob) => !isGlob(glob)).map((glob) => `${glob} is not a pattern.`)[0],
    },
    { name: "stack", label: "Stack", value: rule.stack, placeholder: "every stack" },
    { name: "source", label: "Source", type: "select", options: SOURCES, value: rule.source },
  ];
}

async function find(project, id) {
  const rules = await get("/api/rules", { query: { project } });
  return rules.find(({ rule_id }) => rule_id === id);
}

/** Takes rules in from a file or the clipboard. The promise is true when it was done. */
export function importRules(known) {
  return openDialog(
    "Import rules",
    (close) => {
      const about = h("p.soft", { "aria-live": "polite" });
      const made = form({
        fields: [
          {
            name: "rules",
            label: "Rules, as JSON",
            type: "textarea",
            rows: 10,
            required: true,
            json: true,
            oninput: tell,
            hint: "An array, as an export gives it. A rule that is there already is replaced; all of them are accepted.",
            check: (value) => (Array.isArray(value) ? undefined : "This must be an array of rules."),
          },
          { name: "project", label: "Project, for rules that name none" },
        ],
        submit: "Import",
        cancel: () => close(),
        children: [about],
        onsubmit: async ({ rules, project }) => {
          const { imported } = await post(
            "/api/rules/import",
            rules.map((rule) => (project && rule && !rule.project ? { ...rule, project } : rule)),
          );
          toast(`${plural(imported, "rule")} imported.`);
          close(true);
        },
      });
      const chosen = h("input.unseen", {
        type: "file",
        accept: ".json,application/json",
        "aria-label": "File with rules",
        tabindex: -1,
        onchange: async () => {
          made.inputs.get("rules").input.value = await chosen.files[0].text();
          tell(made.inputs.get("rules").input.value);
        },
      });
      function tell(text) {
        let rules;
        try {
          rules = JSON.parse(text);
        } catch {
          rules = null;
        }
        if (!Array.isArray(rules)) return replace(about);
        const there = new Set(known.map(({ project, rule_id }) => `${project}/${rule_id}`));
        const old = rules.filter((rule) => there.has(`${rule?.project}/${rule?.rule_id}`)).length;
        return replace(about, `${plural(rules.length, "rule")}: ${rules.length - old} new, ${old} that replace one.`);
      }
      return h(
        ".stack",
        h(
          ".row",
          button("Choose a file", () => chosen.click(), { icon: "upload" }),
          chosen,
        ),
        made,
      );
    },
    { wide: true },
  );
}

/** Hands out accepted rules as a file. */
export function exportRules() {
  return openDialog("Export rules", (close) =>
    form({
      fields: [
        { name: "local", label: "Local: the projects’ own", type: "checkbox", value: true },
        { name: "learned", label: "Learned: proposed by agents", type: "checkbox", value: true },
        { name: "external", label: "External: imported", type: "checkbox" },
      ],
      submit: "Download",
      cancel: () => close(),
      children: [h("p.soft", "Rules in force, of all projects, as the JSON that an import takes.")],
      onsubmit: async (values) => {
        const source = Object.keys(values).filter((name) => values[name]);
        if (!source.length) throw new ApiError(400, null, "Choose a source.");
        const rules = await get("/api/rules/export", { query: { source: source.join(",") } });
        download("koor-rules.json", `${JSON.stringify(rules, null, 2)}\n`, "application/json");
        toast(`${plural(rules.length, "rule")} exported.`);
        close(true);
      },
    }),
  );
}
