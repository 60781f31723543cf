// Keys with slashes as a tree that can be folded and searched; thousands of them.

import { h } from "../dom.js";
import { count } from "../format.js";
import { empty } from "./basics.js";
import { icon } from "./icons.js";
import { virtualList } from "./virtual.js";

const GLOW = 1500;

/** A tree of keys. `href(key)` is where a key leads; `show(keys)` takes them sorted. */
export function keyTree({ href, go }) {
  let keys = [];
  let rows = [];
  let wanted = "";
  let chosen = "";
  const folded = new Set();
  const touched = new Map();
  const list = virtualList({
    label: "Keys",
    role: "tree",
    lineRole: "treeitem",
    height: 30,
    key: ({ id }) => id,
    draw: line,
    isChosen: ({ key }) => key !== undefined && key === chosen,
    describe: ({ depth, open, key }) => ({
      "aria-level": depth + 1,
      "aria-expanded": key === undefined ? String(open) : null,
    }),
    onpick: (row) => (row.key === undefined ? toggle(row) : go(href(row.key))),
    onkey: ({ key: pressed }, row) => {
      if (row.key !== undefined || !((pressed === "ArrowRight" && !row.open) || (pressed === "ArrowLeft" && row.open)))
        return false;
      toggle(row);
      return true;
    },
  });
  list.classList.add("key-tree");
  const none = h("div", { hidden: true });
  const element = h("div", list, none);

  function line({ key, name, depth, open, inside, whole }) {
    const indent = h("span.indent");
    indent.style.setProperty("width", `${depth * 14}px`);
    if (key === undefined)
      return [
        indent,
        h("span.twist", open ? "▾" : "▸"),
        h("span.clip.data", name),
        h("span.inside.num.faint.small", count(inside)),
      ];
    const link = h("a.clip.data", { href: href(key), title: key, tabindex: -1 }, whole ? key : name);
    const at = touched.get(key);
    return [
      indent,
      h("span.leaf-sign", icon("specs")),
      link,
      at && performance.now() - at < GLOW && h("span.dot.live"),
    ];
  }

  function toggle({ id }) {
    if (!folded.delete(id)) folded.add(id);
    paint();
  }

  function paint() {
    rows = wanted
      ? keys
          .filter((key) => key.toLowerCase().includes(wanted))
          .map((key) => ({ id: `=${key}`, key, name: key, depth: 0, whole: true }))
      : unfold(keys, folded);
    // Rows are the same objects as long as they say the same, so that only what changed is drawn.
    rows = reuse(rows);
    list.show(rows);
    list.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
    none.replaceChildren(
      wanted
        ? empty("search", "No key matches")
        : empty("state", "No keys yet", "Store one with ", h("code", "koor state set <key> --data <json>"), "."),
    );
  }

  let last = new Map();
  function reuse(next) {
    const now = new Map();
    const result = next.map((row) => {
      const before = last.get(row.id);
      const same =
        before &&
        before.open === row.open &&
        before.inside === row.inside &&
        before.depth === row.depth &&
        !touched.has(row.key);
      const kept = same ? before : row;
      now.set(row.id, kept);
      return kept;
    });
    last = now;
    return result;
  }

  return {
    element,
    show: (next) => {
      keys = next;
      paint();
    },
    find: (text) => {
      wanted = text.trim().toLowerCase();
      list.scrollTop = 0;
      paint();
    },
    choose: (key) => {
      chosen = key;
      list.redraw();
    },
    /** Lets a key that was written glow for a moment. */
    touch: (key) => {
      touched.set(key, performance.now());
      setTimeout(() => {
        touched.delete(key);
        list.redraw();
      }, GLOW);
    },
  };
}

function unfold(keys, folded) {
  const root = { inside: 0, below: new Map(), keys: [] };
  for (const key of keys) {
    const parts = key.split("/");
    const name = parts.pop();
    let at = root;
    let path = "";
    for (const part of parts) {
      path += `${part}/`;
      if (!at.below.has(part)) at.below.set(part, { id: path, name: part, inside: 0, below: new Map(), keys: [] });
      at = at.below.get(part);
      at.inside += 1;
    }
    at.keys.push({ id: `=${key}`, key, name });
  }
  const rows = [];
  const walk = (node, depth) => {
    for (const below of node.below.values()) {
      const open = !folded.has(below.id);
      rows.push({ id: below.id, name: below.name, depth, open, inside: below.inside });
      if (open) walk(below, depth + 1);
    }
    for (const key of node.keys) rows.push({ ...key, depth });
  };
  walk(root, 0);
  return rows;
}
