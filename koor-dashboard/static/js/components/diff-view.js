// Two texts side by side, with what did not change folded away.

import { diffLines } from "../diff.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { button } from "./basics.js";

// Unchanged lines around each change.
const AROUND = 3;
// Rows shown at once; the rest has to be asked for.
const ROWS = 1500;

/** The difference between two texts, or null when they differ in too many lines to be shown so. */
export function diffView(before, after, label = "Difference") {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const rows = diffLines(a, b);
  if (!rows) return null;
  const body = h("tbody");
  const made = h(
    ".diff",
    { tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      h("colgroup", h("col.no"), h("col"), h("col.no"), h("col")),
      h("thead.unseen", h("tr", h("th", "Line"), h("th", "Before"), h("th", "Line"), h("th", "After"))),
      body,
    ),
  );
  if (rows.every(({ kind }) => kind === "same")) {
    body.append(skipRow([`The same: ${plural(a.length, "line")}.`]));
    return made;
  }
  add(body, fold(rows), a, b);
  return made;
}

function add(body, parts, a, b) {
  const rest = parts.splice(ROWS);
  for (const part of parts) {
    if (!part.folded) body.append(...draw(part, a, b));
    else {
      const row = skipRow([
        button(
          `${plural(part.folded.length, "unchanged line")}`,
          () => row.replaceWith(...part.folded.flatMap((same) => draw(same, a, b))),
          { tone: "quiet", little: true },
        ),
      ]);
      body.append(row);
    }
  }
  if (rest.length) {
    const row = skipRow([
      button(
        "Show more",
        () => {
          row.remove();
          add(body, rest, a, b);
        },
        { little: true },
      ),
    ]);
    body.append(row);
  }
}

function fold(rows) {
  const near = new Uint8Array(rows.length);
  rows.forEach(({ kind }, at) => {
    if (kind === "changed") near.fill(1, Math.max(0, at - AROUND), at + AROUND + 1);
  });
  const parts = [];
  for (let at = 0; at < rows.length; at += 1) {
    if (near[at]) {
      parts.push(rows[at]);
      continue;
    }
    const from = at;
    while (at + 1 < rows.length && !near[at + 1]) at += 1;
    parts.push({ folded: rows.slice(from, at + 1) });
  }
  return parts;
}

function skipRow(children) {
  return h("tr.skip", h("td", { colspan: 4 }, children));
}

function draw({ kind, a: left, b: right }, a, b) {
  if (kind === "same")
    return [h("tr", h("td.no", left + 1), h("td", a[left]), h("td.no", right + 1), h("td", b[right]))];
  const [old, now] = left !== null && right !== null ? words(a[left], b[right]) : [a[left], b[right]];
  return [
    h(
      "tr",
      h("td.no", left === null ? "" : left + 1),
      left === null ? h("td.void") : h("td.was", old),
      h("td.no", right === null ? "" : right + 1),
      right === null ? h("td.void") : h("td.now", now),
    ),
  ];
}

// What lies between the common beginning and the common end is what changed.
function words(old, now) {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const cut = (text, tag) => [
    text.slice(0, start),
    h(tag, text.slice(start, text.length - end)),
    text.slice(text.length - end),
  ];
  return [cut(old, "del"), cut(now, "ins")];
}
