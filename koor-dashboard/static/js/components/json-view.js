// Values of any kind, shown so that none can hurt: folded trees that are built as they are opened, long texts in parts,
// bytes as hex.

import { h, replace } from "../dom.js";
import { bytes as size, count, plural } from "../format.js";
import { button, download } from "./basics.js";

// Of a list or an object, so many members at a time.
const PART = 100;
// Of a text inside a value, so much before it has to be asked for.
const LONG_TEXT = 1000;
// A tree of this many characters is built at once; larger ones are asked for first, since parsing them takes a moment.
const AT_ONCE = 2_000_000;
// Of a raw text, so many characters are shown at first.
const RAW = 100_000;
const HEX_LINES = 256;
const OPEN_MEMBERS = 60;
const OPEN_DEPTH = 2;

/** A value that is parsed already, as a tree. */
export function jsonTree(value, label = "Value") {
  return h(".json", { tabindex: 0, role: "region", "aria-label": label }, node(null, value, 0, { left: OPEN_MEMBERS }));
}

/** One line that says what a value is: for tables and streams. */
export function brief(value, most = 160) {
  let text;
  try {
    text = typeof value === "string" ? value : JSON.stringify(value);
  } catch {
    text = "(too deep to show here)";
  }
  return text === undefined ? "" : text.length > most ? `${text.slice(0, most)}…` : text;
}

// Numbers that a double cannot hold keep their digits, where the browser lets a reviver see them.
function exact(_, value, context) {
  return typeof value === "number" && context?.source !== undefined && JSON.rawJSON
    ? JSON.rawJSON(context.source)
    : value;
}

/** The JSON text, indented, with every number as it was written. Throws when it is no JSON, or nested too deeply. */
export function reindent(text) {
  return JSON.stringify(JSON.parse(text, exact), null, 2);
}

function parse(text) {
  return /\d{16}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
}

/** JSON, indented; or null when it is nested too deeply for that. */
export function pretty(value) {
  try {
    return JSON.stringify(value, null, 2);
  } catch {
    return null;
  }
}

/**
 * The bytes of a stored value (an ArrayBuffer), by what they are: JSON as a tree or as text, other text as it is, the rest
 * as hex. `name` is what a downloaded file is called.
 */
export function valueView(buffer, contentType, name = "value") {
  const made = h(".stack.tight");
  const text = decode(buffer);
  if (text === null) {
    replace(
      made,
      note(
        `Not text: ${size(buffer.byteLength)} of ${contentType || "unknown type"}.`,
        save(buffer, contentType, name),
      ),
      hex(buffer),
    );
    return made;
  }
  if (!/json/i.test(contentType ?? "")) {
    replace(made, raw(text));
    return made;
  }
  const tree = () => {
    try {
      replace(made, jsonTree(parse(text), name));
    } catch (error) {
      replace(made, note(`Not JSON, whatever its content type says: ${error.message}`), raw(text));
    }
  };
  if (text.length <= AT_ONCE) tree();
  else {
    replace(
      made,
      note(
        `${size(buffer.byteLength)}: shown as text.`,
        button("Show as a tree", tree, { little: true }),
        save(buffer, contentType, name),
      ),
      raw(text),
    );
  }
  return made;
}

function note(...children) {
  return h(".notice", children);
}

function save(buffer, contentType, name) {
  return button("Download", () => download(name.replaceAll("/", "-"), buffer, contentType), {
    icon: "download",
    little: true,
  });
}

/** The text that these bytes are in UTF-8, or null. */
export function decode(buffer) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(buffer);
    // Control characters that no text has: it may be UTF-8 by chance.
    return /[\u0000-\u0008\u000e-\u001a]/.test(text.slice(0, 4096)) ? null : text;
  } catch {
    return null;
  }
}

/** A text of any length, its first part at first. */
export function raw(text, label = "Text") {
  const shown = h("pre.text", { tabindex: 0, role: "region", "aria-label": label }, text.slice(0, RAW));
  if (text.length <= RAW) return shown;
  let at = RAW;
  const further = button(
    `Show more of ${count(text.length)} characters`,
    () => {
      shown.append(text.slice(at, at + RAW));
      at += RAW;
      if (at >= text.length) further.remove();
    },
    { little: true },
  );
  return h("div", shown, h(".empty", further));
}

function hex(buffer) {
  const data = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, HEX_LINES * 16));
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${letters}`);
  }
  if (buffer.byteLength > data.length) lines.push(`… ${size(buffer.byteLength - data.length)} more`);
  return h("pre.text.hex", { tabindex: 0, role: "region", "aria-label": "Bytes" }, lines.join("\n"));
}

function node(name, value, depth, budget) {
  const label = name === null ? null : [h("span.k", name), ": "];
  if (JSON.isRawJSON?.(value)) return h(".leaf", label, h("span.n", value.rawJSON));
  if (value === null || typeof value !== "object") return h(".leaf", label, scalar(value));
  const members = Array.isArray(value) ? value.length : Object.keys(value).length;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (members === 0) return h(".leaf", label, h("span.meta", open + close));
  const list = h("ul", { hidden: true });
  const summary = h("span.meta", `${open} ${plural(members, Array.isArray(value) ? "item" : "member")} ${close}`);
  const fold = h(
    "button.fold",
    {
      type: "button",
      "aria-expanded": "false",
      onclick: () => toggle(list.hidden, { left: 0 }),
    },
    h("span", label, summary),
  );
  function toggle(opens, rest) {
    if (opens && !list.firstChild) fill(list, value, depth, rest);
    list.hidden = !opens;
    fold.setAttribute("aria-expanded", String(opens));
  }
  if (depth < OPEN_DEPTH && members <= budget.left) {
    budget.left -= members;
    toggle(true, budget);
  }
  return h("div", fold, list);
}

function fill(list, value, depth, budget) {
  const keys = Array.isArray(value) ? null : Object.keys(value);
  const total = keys ? keys.length : value.length;
  let at = 0;
  const further = h(
    "li",
    button("", () => add({ left: 0 }), { little: true, tone: "quiet" }),
  );
  function add(rest) {
    const to = Math.min(total, at + PART);
    further.remove();
    for (; at < to; at += 1) {
      const name = keys ? keys[at] : String(at);
      list.append(h("li", node(name, value[keys ? name : at], depth + 1, rest)));
    }
    if (at < total) {
      further.firstChild.textContent = `${plural(Math.min(PART, total - at), "more")} of ${count(total - at)}`.replace(
        "mores",
        "more",
      );
      further.firstChild.classList.remove("icon");
      list.append(further);
    }
  }
  add(budget);
}

function scalar(value) {
  if (typeof value === "string") {
    if (value.length <= LONG_TEXT) return h("span.s", `"${value}"`);
    const text = h("span.s", `"${value.slice(0, LONG_TEXT)}…`);
    const whole = button(
      `all ${count(value.length)} characters`,
      () => {
        replace(text, `"${value}"`);
        whole.remove();
      },
      { little: true, tone: "quiet" },
    );
    return h("span", text, whole);
  }
  return h(typeof value === "number" ? "span.n" : "span.w", String(value));
}
