// One rule: what it says, what it finds, and what becomes of it.

import { del, post } from "../../api.js";
import { h } from "../../dom.js";
import { moment } from "../../format.js";
import { agentLink } from "../../names.js";
import { ago, badge, button, copyButton, status } from "../../components/basics.js";
import { confirm } from "../../components/dialog.js";
import { attempt } from "../../components/toast.js";
import { trial } from "./trial.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/;

export function pathOfRule({ project, rule_id }) {
  return `${encodeURIComponent(project)}/${encodeURIComponent(rule_id)}`;
}

/** Makes a rule out of a proposal, or turns it down. */
export function decide(rule, decision) {
  const done = decision === "accept" ? `${rule.rule_id} is in force now.` : `${rule.rule_id} is rejected.`;
  return attempt(() => post(`/api/rules/${pathOfRule(rule)}/${decision}`), done);
}

export async function deleteRule(rule) {
  const text =
    rule.status === "accepted"
      ? "The rule stops applying at once. To undo this, add it again."
      : "To undo this, add it again.";
  if (!(await confirm(`Delete ${rule.rule_id}?`, text, "Delete"))) return false;
  return attempt(() => del(`/api/rules/${pathOfRule(rule)}`), `${rule.project}/${rule.rule_id} is deleted.`);
}

/** Who proposed it: an agent's id leads to the agent, any other word is just that. */
export function proposer(rule, nameOf) {
  return UUID.test(rule.proposed_by) ? agentLink(rule.proposed_by, nameOf) : h("span.data", rule.proposed_by);
}

/** The severity in its colour. */
export function severity(rule) {
  return badge(rule.severity, rule.severity === "error" ? "bad" : "warn");
}

/** What the pattern does, in a word. */
export function kindOf({ match_type }) {
  return { regex: "must not match", missing: "must match", custom: "built-in check" }[match_type] ?? match_type;
}

/** Buttons for a proposal. */
export function decisions(rule, little = false) {
  return [
    button("Reject", () => decide(rule, "reject"), { little, tone: "danger", "aria-label": `Reject ${rule.rule_id}` }),
    button("Accept", () => decide(rule, "accept"), {
      little,
      icon: "check",
      tone: "primary",
      "aria-label": `Accept ${rule.rule_id}`,
    }),
  ];
}

/** The whole of a rule, as a panel. */
export function ruleDetail(rule, { nameOf, back, edit, gone }) {
  const test = trial({ project: () => rule.project, rules: () => [{ ...rule, stack: "" }] });
  return h(
    "section.panel.rule-detail",
    { "aria-label": `Rule ${rule.rule_id}` },
    h(
      "header",
      h(
        "a.button.quiet.icon.little",
        { href: back, "aria-label": "Back to all rules", title: "Back to all rules" },
        "✕",
      ),
      h("h2.data.grow", rule.rule_id),
      status(rule.status),
    ),
    h(
      ".body.stack",
      rule.message && h("p.data", rule.message),
      h(".rule-pattern", h("pre.data", rule.pattern), copyButton(rule.pattern, "Copy the pattern")),
      h(
        "dl.facts",
        fact("Severity", severity(rule)),
        fact("Kind", kindOf(rule)),
        fact("Project", h("a.data", { href: `/specs/${encodeURIComponent(rule.project)}` }, rule.project)),
        fact(
          "Files",
          h(
            ".row.wrap",
            rule.applies_to.map((glob) => h("code.tag", glob)),
          ),
        ),
        fact("Stack", rule.stack || h("span.faint", "every stack")),
        fact("Source", rule.source),
        rule.proposed_by && fact("Proposed by", proposer(rule, nameOf)),
        fact("Since", h("span", { title: moment(rule.created_at) }, ago(rule.created_at, " ago"))),
      ),
      rule.context && h(".rule-context", h("h3", "Why it was proposed"), h("p.data", rule.context)),
      h(
        ".row.wrap",
        rule.status === "proposed" && decisions(rule),
        button("Edit", edit, { icon: "edit" }),
        button("Delete", async () => (await deleteRule(rule)) && gone(), { icon: "trash", tone: "danger" }),
      ),
      h(".stack.tight", h("h3", "Try it"), test),
    ),
  );
}

function fact(name, value) {
  return [h("dt", name), h("dd", value)];
}
