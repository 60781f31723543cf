// What a template brings to a project, as people read it.

import { h } from "../../dom.js";
import { count, plural } from "../../format.js";
import { badge } from "../../components/basics.js";
import { brief, jsonTree } from "../../components/json-view.js";
import { table } from "../../components/table.js";

const MOST_ROWS = 300;

/** What is in there: { rules, contracts, specs }, whatever its kind. */
export function contentsOf({ id, kind, data }) {
  const whole = data ?? {};
  if (kind === "rules") return { rules: Array.isArray(whole) ? whole : [], contracts: [], specs: [] };
  if (kind === "contracts")
    return { rules: [], contracts: whole.kind === "contract" ? [[id, whole]] : Object.entries(whole), specs: [] };
  return {
    rules: whole.rules ?? [],
    contracts: Object.entries(whole.contracts ?? {}),
    specs: Object.entries(whole.specs ?? {}),
  };
}

/** "12 rules, 1 contract" */
export function inWords({ rules, contracts, specs }) {
  const parts = [
    rules.length && plural(rules.length, "rule"),
    contracts.length && plural(contracts.length, "contract"),
    specs.length && plural(specs.length, "spec"),
  ];
  return parts.filter(Boolean).join(", ") || "nothing";
}

/** All of it, as tables and trees. */
export function contentsView({ rules, contracts, specs }) {
  return [
    rules.length > 0 && part("Rules", rules, ruleTable),
    contracts.length > 0 && part("Contracts", contracts, contractTable),
    specs.length > 0 &&
      part("Specs", specs, (some) =>
        some.map(([name, value]) => h("details.schema", h("summary.data.strong", name), jsonTree(value, name))),
      ),
  ];
}

function part(title, items, draw) {
  return h(
    ".template-part",
    h("h3.padded", title, h("span.faint.num", ` ${count(items.length)}`)),
    draw(items.slice(0, MOST_ROWS)),
    items.length > MOST_ROWS && h("p.padded.faint.small", `The first ${MOST_ROWS}.`),
  );
}

function ruleTable(rules) {
  return table({
    label: "Rules",
    key: (rule) => rules.indexOf(rule),
    columns: [
      { label: "Rule", render: (rule) => h("span.strong.data", rule?.rule_id) },
      {
        label: "Severity",
        fit: true,
        render: (rule) => badge(rule?.severity ?? "error", rule?.severity === "warning" ? "warn" : "bad"),
      },
      { label: "Pattern", render: (rule) => h("code.data", brief(rule?.pattern, 120)) },
      { label: "What it says", render: (rule) => h("span.soft.data", brief(rule?.message ?? "", 200)) },
    ],
  }).show(rules);
}

function contractTable(contracts) {
  return table({
    label: "Contracts",
    key: ([name]) => name,
    columns: [
      { label: "Contract", render: ([name]) => h("span.strong.data", name) },
      {
        label: "Endpoints",
        render: ([, contract]) =>
          h(
            ".row.wrap",
            Object.keys(contract?.endpoints ?? {})
              .slice(0, 12)
              .map((name) => h("code.tag", name)),
          ),
      },
    ],
  }).show(contracts);
}
