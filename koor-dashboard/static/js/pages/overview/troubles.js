// What is wrong although the server is healthy: contracts that do not hold, webhooks that fail. One badge each.

import { get } from "../../api.js";
import { h } from "../../dom.js";
import { plural } from "../../format.js";

// Enough to hold the newest run of every agent and contract.
const RUNS = 500;

/** Reads what is wrong; badges that lead to it. Whatever this visitor may not read is left out. */
export async function troubleBadges(signal) {
  const read = (path, query) =>
    get(path, { query, signal }).catch((error) => {
      if (error.status === 403) return [];
      throw error;
    });
  const [runs, hooks] = await Promise.all([
    read("/api/compliance/history", { limit: RUNS }),
    read("/api/webhooks", {}),
  ]);
  const failing = failingContracts(runs);
  const off = hooks.filter(({ active }) => !active).length;
  const struggling = hooks.filter((hook) => hook.active && hook.fail_count > 0).length;
  return [
    failing > 0 && link("/compliance", `${plural(failing, "contract")} failing`, "bad"),
    off > 0 && link("/webhooks", `${plural(off, "webhook")} off`, "bad"),
    struggling > 0 && link("/webhooks", `${plural(struggling, "webhook")} failing`, "warn"),
  ];
}

/** How many contracts do not hold: the newest run of one agent at least has failed. `runs` are the newest first. */
export function failingContracts(runs) {
  const seen = new Set();
  const failing = new Set();
  for (const { instance_id: agent, project, contract, pass } of runs) {
    const run = JSON.stringify([agent, project, contract]);
    if (!seen.has(run) && !pass) failing.add(JSON.stringify([project, contract]));
    seen.add(run);
  }
  return failing.size;
}

function link(href, text, tone) {
  return h("a.badge", { href, class: tone }, text);
}
