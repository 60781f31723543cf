// Rules tried on a text. The server runs them, with the same engine and limits as when they are in force.

import { post } from "../../api.js";
import { h, replace } from "../../dom.js";
import { count, plural } from "../../format.js";
import { debounce } from "../../timing.js";
import { badge } from "../../components/basics.js";

// Typing is followed by a check, up to a text of this length; a longer one is checked when the button is pressed.
const WHILE_TYPING = 100_000;
const PAUSE = 350;
// Of a longer text only the lines with findings are shown, and those around them.
const WHOLE_TEXT = 120;
const AROUND = 2;
const MOST_LINES = 400;

/**
 * A field for a text, and beneath it what rules find in it. `project()` and `file()` ({ filename, stack }) say where the
 * text belongs; `rules()` gives drafts to try, or null for those in force. The element's `check()` runs it again.
 */
export function trial({ project, file = () => ({}), rules = () => null, rows = 7, label = "Text to test it on" }) {
  const found = h(".trial-found", { "aria-live": "polite" });
  const area = h("textarea.input.mono", {
    rows,
    "aria-label": label,
    placeholder: "Paste some text or code here.",
    spellcheck: "false",
    dir: "auto",
    oninput: changed,
  });
  const made = h(".trial", area, found);
  let turn = 0;
  const soon = debounce(() => made.isConnected && made.check(), PAUSE);

  function changed() {
    if (area.value.length <= WHILE_TYPING) soon();
  }

  made.check = async () => {
    const mine = (turn += 1);
    const content = area.value;
    if (!content) return replace(found);
    try {
      const drafts = rules();
      const { violations } = await post(`/api/validate/${encodeURIComponent(project())}`, {
        content,
        ...file(),
        ...(drafts && { rules: drafts }),
      });
      if (turn === mine) replace(found, findings(content, violations, drafts?.length === 1));
    } catch (error) {
      if (turn === mine) replace(found, h(".problem", error.message));
      if (error.name !== "ApiError") throw error;
    }
    return undefined;
  };
  made.fill = (text) => {
    area.value = text;
    return made.check();
  };
  return made;
}

function findings(content, violations, single) {
  if (!violations.length) return h(".notice.good", single ? "No match in this text." : "No rule matches this text.");
  const lines = content.split(/\r?\n/);
  const onLines = Map.groupBy(
    violations.filter(({ line }) => line),
    ({ line }) => line,
  );
  const whole = violations.filter(({ line }) => !line);
  return h(
    ".stack.tight",
    h(
      ".row.wrap",
      h("strong", plural(violations.length, "finding")),
      onLines.size > 0 && h("span.faint", `on ${plural(onLines.size, "line")} of ${count(lines.length)}`),
    ),
    whole.length > 0 &&
      h(
        "ul.trial-whole",
        whole.slice(0, MOST_LINES).map((one) => h("li", remark(one, single))),
      ),
    onLines.size > 0 && marked(lines, onLines, single),
  );
}

function remark({ rule_id, severity, message }, single) {
  return h(
    ".row.wrap",
    badge(severity, severity === "error" ? "bad" : "warn"),
    !single && h("strong.data", rule_id),
    h("span.data", message),
  );
}

function marked(lines, onLines, single) {
  const shown = chosenLines(lines.length, onLines);
  const body = h("tbody");
  let before = 0;
  for (const number of shown) {
    if (number !== before + 1) body.append(h("tr.cut", h("td", { colspan: 2 }, "⋯")));
    before = number;
    const here = onLines.get(number) ?? [];
    body.append(
      h(
        "tr",
        { class: here.length ? "hit" : "" },
        h("th", { scope: "row" }, number),
        h(
          "td",
          h("span.data", highlight(lines[number - 1] ?? "", here)),
          here.map((one) => h(".remark", remark(one, single))),
        ),
      ),
    );
  }
  const left = onLines.size - shown.filter((number) => onLines.has(number)).length;
  return h(
    ".marked",
    { tabindex: 0, role: "region", "aria-label": "The text, with what was found" },
    h("table", h("thead.unseen", h("tr", h("th", "Line"), h("th", "Text"))), body),
    left > 0 && h("p.faint.small", `… and ${plural(left, "more line")} with findings`),
  );
}

function chosenLines(total, onLines) {
  if (total <= WHOLE_TEXT) return Array.from({ length: total }, (_, at) => at + 1);
  const near = new Set();
  for (const line of [...onLines.keys()].sort((a, b) => a - b)) {
    for (let at = Math.max(1, line - AROUND); at <= Math.min(total, line + AROUND); at += 1) near.add(at);
    if (near.size >= MOST_LINES) break;
  }
  return [...near].sort((a, b) => a - b);
}

// The server names what matched on the line, not where: its first occurrence is it, since a regex finds the first match. What
// it has shortened or masked is not there as such; then the line's number alone says it.
function highlight(text, violations) {
  const spans = violations
    .map(({ match = "" }) => [match ? text.indexOf(match) : -1, match.length])
    .filter(([from]) => from >= 0)
    .sort(([a], [b]) => a - b);
  const parts = [];
  let at = 0;
  for (const [from, length] of spans) {
    if (from < at) continue;
    parts.push(text.slice(at, from), h("mark", text.slice(from, from + length)));
    at = from + length;
  }
  parts.push(text.slice(at) || (at ? "" : " "));
  return parts;
}
