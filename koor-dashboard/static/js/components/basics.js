// Small parts that every page uses.

import { h } from "../dom.js";
import { age, hue, initials, moment, remaining } from "../format.js";
import { icon } from "./icons.js";

/**
 * A button. `tone`: primary, danger, good, quiet; `little` for rows; without a text it needs a `label`. Whatever else is
 * given is set on the element.
 *
 * @param {string} text
 * @param {((event: any) => any) | null} onclick
 * @param {{ icon?: string, tone?: string, little?: boolean, label?: string, [attribute: string]: any }} [options]
 */
export function button(text, onclick, { icon: name, tone = "", little = false, label, ...more } = {}) {
  const classes = [tone, little && "little", !text && "icon"].filter(Boolean).join(" ");
  return h(
    "button.button",
    { type: "button", class: classes, onclick, "aria-label": label, title: label, ...more },
    name && icon(name),
    text,
  );
}

/** The top of a page: its heading, a word beside it, and what can be done. */
export function pageHead(title, lead, ...actions) {
  return h(
    "header.page-head",
    h("h1", title),
    lead && h("span.lead", lead),
    actions.length > 0 && h(".actions", actions),
  );
}

/** A framed part of a page. `flush` lets its body touch the frame. */
export function panel(title, actions, ...body) {
  return h(
    "section.panel",
    title && h("header", typeof title === "string" ? h("h2", title) : title, actions && h(".push", actions)),
    h(".body", body),
  );
}
export function flushPanel(title, actions, ...body) {
  const made = panel(title, actions, ...body);
  made.lastChild.classList.add("flush");
  return made;
}

/** A number with its name. `href` makes it a way to the page behind it. */
export function stat(label, value, note, href) {
  return h(
    href ? "a.stat" : "div.stat",
    { href },
    h("span.label", label),
    h("span.value", value),
    note && h("span.note", note),
  );
}

/** A word with a meaning. `tone`: good, warn, bad, accent, or none. */
export function badge(text, tone = "") {
  return h("span.badge", { class: tone }, text);
}

const TONES = {
  active: "good",
  accepted: "good",
  success: "good",
  pass: "good",
  ok: "good",
  pending: "accent",
  proposed: "warn",
  warning: "warn",
  stale: "warn",
  denied: "warn",
  rejected: "",
  error: "bad",
  fail: "bad",
  ready: "accent",
  claimed: "accent",
  review: "warn",
  done: "good",
  failed: "bad",
};

// Agents in the order in which they need attention.
const ATTENTION = { stale: 0, pending: 1, active: 2 };
const byName = new Intl.Collator("en", { numeric: true });

/** The rank of a status: the lower, the sooner it needs attention. */
export function attention(status) {
  return ATTENTION[status] ?? 0;
}

/** Compares agents: those that need attention first, then by name, agent-2 before agent-10. */
export function byAttention(a, b) {
  return attention(a.status) - attention(b.status) || byName.compare(a.name, b.name);
}

/** A status in the colour that it has everywhere. */
export function status(word) {
  return badge(word, TONES[word] ?? "");
}

/** An agent's sign: letters of its name and its number, in the colour that it has everywhere. */
export function face(name, little = false) {
  return h(
    "span.face",
    { class: `hue-${hue(name || "?")} ${little ? "little" : ""}`, "aria-hidden": "true" },
    initials(name, little),
  );
}

/** Something that agents wrote, on one line, cut off where there is no room. */
export function clip(text) {
  return h("span.clip.data", { title: text }, text);
}

/** Nothing here yet, and what would change that. */
export function empty(name, title, ...hint) {
  return h(".empty", icon(name), h("strong", title), hint.length > 0 && h("p", hint));
}

/** What went wrong, with another try. */
export function failure(error, again) {
  return h(
    ".problem",
    { role: "alert" },
    h("span", error.message),
    again && button("Try again", again, { little: true }),
  );
}

const times = new Set();

/** How long ago something was, by the server's clock. It stays true while it is on the page. */
export function ago(time, suffix = "") {
  return ticking(time, (at) => {
    const text = age(at);
    return /\d (s|min|h|d)$/.test(text) ? text + suffix : text;
  });
}

/** How long it is until then, by the server's clock: "12 min left". It stays true while it is on the page. */
export function left(time) {
  return ticking(time, remaining);
}

function ticking(time, say) {
  const element = h("time.num", { datetime: time, title: moment(time) });
  element.time = time;
  element.say = say;
  tick(element);
  times.add(new WeakRef(element));
  return element;
}

/** Lets such an element tell of another time. */
export function setAgo(element, time) {
  if (element.time === time) return;
  element.time = time;
  element.setAttribute("datetime", time);
  element.title = moment(time);
  tick(element);
}

function tick(element) {
  const said = element.say(element.time);
  if (element.textContent !== said) element.textContent = said;
}

// Whatever left the page is forgotten here, so that this grows no longer than the page.
setInterval(() => {
  for (const reference of times) {
    const element = reference.deref();
    if (element?.isConnected) tick(element);
    else if (!element || element.seen) times.delete(reference);
    if (element?.isConnected) element.seen = true;
  }
}, 1000);

/** Puts a text on the clipboard and says so on the button. */
export function copyButton(text, label = "Copy") {
  const made = button(
    "",
    async () => {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      made.replaceChildren(icon("check"));
      setTimeout(() => made.replaceChildren(icon("copy")), 1200);
    },
    { icon: "copy", tone: "quiet", little: true, label },
  );
  return made;
}

/** Hands a file to the visitor. */
export function download(name, content, type = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A choice of a few, of which one is taken. `options`: [value, label]. */
export function segments(label, options, value, onchange) {
  const made = h(".segments", { role: "group", "aria-label": label });
  for (const [option, text] of options) {
    made.append(
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(option === value),
          onclick: ({ currentTarget }) => {
            for (const other of made.children) other.setAttribute("aria-pressed", String(other === currentTarget));
            onchange(option);
          },
        },
        text,
      ),
    );
  }
  return made;
}

/** Links to the parts of a page, of which one is shown. `items`: [href, label, chosen]. */
export function tabs(label, items) {
  return h(
    "nav.tabs",
    { "aria-label": label },
    items.map(([href, text, chosen]) => h("a", { href, "aria-current": chosen ? "page" : null }, text)),
  );
}

/** A field for searching, with its picture. */
export function search(label, value, oninput) {
  return h(
    ".search",
    icon("search"),
    h("input.input", {
      type: "search",
      placeholder: label,
      "aria-label": label,
      value,
      autocomplete: "off",
      spellcheck: "false",
      oninput: (event) => oninput(event.target.value),
    }),
  );
}

/** A list to choose from. `options`: [value, label]. */
export function select(label, options, value, onchange) {
  return h(
    "select.input",
    { "aria-label": label, onchange: (event) => onchange(event.target.value) },
    options.map(([option, text]) => h("option", { value: option, selected: option === value }, text)),
  );
}
