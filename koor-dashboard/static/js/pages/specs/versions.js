// The versions of a spec: any two beside each other, and the way back to an old one.

import { get, post } from "../../api.js";
import { h, replace } from "../../dom.js";
import { bytes } from "../../format.js";
import { ago, badge, button, failure } from "../../components/basics.js";
import { confirm } from "../../components/dialog.js";
import { diffView } from "../../components/diff-view.js";
import { attempt } from "../../components/toast.js";
import { laidOut, readSpec } from "./text.js";

const AT_FIRST = 200;

/**
 * The history at that path, with the difference from version `a` to `b` (the last two unless told). `choose(a, b)` puts the
 * choice into the address.
 */
export async function versionsView({ path, name, a, b, choose, signal, nameOf }) {
  const { versions } = await get(path, { query: { history: 1, limit: AT_FIRST }, signal });
  const newest = versions[0];
  const kept = versions.filter(({ deleted }) => !deleted);
  b = kept.find(({ version }) => version === b)?.version ?? kept[0]?.version;
  a = kept.find(({ version }) => version === a)?.version ?? kept[1]?.version ?? b;
  const shown = h(".difference");
  compare();

  async function compare() {
    try {
      const [old, now] = await Promise.all([a, b].map((version) => readSpec(path, { version, signal })));
      replace(
        shown,
        h("h3.padded", a === b ? `Version ${b}` : `From version ${a} to version ${b}`),
        diffView(laidOut(old.text), laidOut(now.text), `From version ${a} to version ${b}`) ??
          h(".padded.soft", "They differ in too many lines to be shown beside each other."),
      );
    } catch (error) {
      if (error.name === "AbortError") return;
      replace(shown, failure(error, compare));
      if (error.name !== "ApiError") throw error;
    }
  }

  async function rollBack(version) {
    const sure = await confirm(
      `Roll back to version ${version}?`,
      `${name} becomes what it was then, as a new version. Nothing is lost: the versions in between stay.`,
      "Roll back",
      { danger: false },
    );
    if (sure)
      await attempt(
        () => post(path, undefined, { query: { rollback: version, if_version: newest.deleted ? 0 : newest.version } }),
        `${name} is as it was in version ${version}.`,
      );
  }

  const pick = (group, version, chosen, change) =>
    h("input", {
      type: "radio",
      name: group,
      checked: version === chosen,
      "aria-label": `${group} version ${version}`,
      onchange: () => change(version),
    });
  return h(
    "div",
    h(
      ".table-wrap.versions",
      { tabindex: 0, role: "region", "aria-label": "Versions" },
      h(
        "table.table",
        h(
          "thead",
          h(
            "tr",
            ["From", "To", "Version", "Size", "By", "When", ""].map((text) =>
              h("th", { scope: "col" }, text || h("span.unseen", "Actions")),
            ),
          ),
        ),
        h(
          "tbody",
          versions.map(({ version, size, deleted, updated_at, updated_by }) =>
            h(
              "tr",
              { class: version === b ? "chosen" : "" },
              h("td.fit", !deleted && pick("From", version, a, (value) => choose(value, b))),
              h("td.fit", !deleted && pick("To", version, b, (value) => choose(a, value))),
              h(
                "td",
                h(
                  ".row",
                  h("strong.num", version),
                  version === newest.version && badge(deleted ? "deleted" : "newest", deleted ? "bad" : "accent"),
                  deleted && version !== newest.version && badge("deleted"),
                ),
              ),
              h("td.num.faint.fit", deleted ? "" : bytes(size)),
              h("td.data", updated_by ? nameOf(updated_by) : h("span.faint", "–")),
              h("td.fit", ago(updated_at, " ago")),
              h(
                "td.fit",
                !deleted &&
                  version !== newest.version &&
                  button("Roll back", () => rollBack(version), {
                    little: true,
                    icon: "undo",
                    "aria-label": `Roll back to version ${version}`,
                  }),
              ),
            ),
          ),
        ),
      ),
    ),
    versions.length === AT_FIRST && h("p.faint.small.padded", `The newest ${AT_FIRST} versions.`),
    shown,
  );
}
