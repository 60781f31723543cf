// Keys for the whole dashboard: / searches, ? lists the keys, g and a letter goes to a page, j and k move in a list.

import { openDialog } from "./components/dialog.js";
import { h } from "./dom.js";
import { PAGES } from "./pages.js";

// How long after g its letter may come.
const SEQUENCE = 1200;

/** The letter that goes to each page after g. */
const LETTERS = {
  "": "o",
  events: "e",
  agents: "a",
  tasks: "k",
  leases: "p",
  messages: "i",
  state: "s",
  specs: "c",
  templates: "t",
  rules: "r",
  compliance: "m",
  audit: "l",
  costs: "u",
  webhooks: "w",
};

let pending = 0;

/** Listens from now on; `go(href)` shows a page. */
export function listen(go) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const done = pending ? second(event.key, go) : first(event.key);
    if (done) event.preventDefault();
  });
}

/** Whether a key means a character there. */
function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function first(key) {
  if (key === "g") {
    pending = setTimeout(() => (pending = 0), SEQUENCE);
    return true;
  }
  if (key === "/") return focus("main input[type=search]");
  if (key === "?") {
    help();
    return true;
  }
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
  return false;
}

function second(key, go) {
  clearTimeout(pending);
  pending = 0;
  const page = PAGES.find(({ name }) => LETTERS[name] === key);
  if (page) go(`/${page.name}`);
  return Boolean(page);
}

function focus(selector) {
  const found = /** @type {HTMLInputElement | null} */ (document.querySelector(selector));
  found?.focus();
  found?.select();
  return Boolean(found);
}

/** Moves by one in the list of the page: the one that has the focus, or the first there is. */
function move(by) {
  const here = document.activeElement;
  const list =
    here?.closest(".virtual, .table-wrap, .cards, .board") ??
    document.querySelector("main :is(.virtual, .table-wrap, .cards, .board)");
  if (!list) return false;
  if (list.matches(".virtual")) {
    /** @type {HTMLElement} */ (list).focus();
    list.dispatchEvent(new KeyboardEvent("keydown", { key: by > 0 ? "ArrowDown" : "ArrowUp", bubbles: true }));
    return true;
  }
  const links = /** @type {HTMLElement[]} */ (
    [...list.querySelectorAll("tbody tr, li")].map((row) => row.querySelector("a[href]")).filter(Boolean)
  );
  const at = links.indexOf(/** @type {HTMLElement} */ (here));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  next?.focus();
  return Boolean(next);
}

function help() {
  const row = (keys, text) =>
    h(
      "tr",
      h(
        "th.fit",
        { scope: "row" },
        keys.map((key) => h("kbd", key)),
      ),
      h("td", text),
    );
  openDialog("Keys", () =>
    h(
      "table.table.keys",
      h(
        "tbody",
        row(["/"], "Search on this page"),
        row(["j"], "Next entry of the list"),
        row(["k"], "Previous entry of the list"),
        row(["Enter"], "Open the entry"),
        row(["Esc"], "Close a dialog"),
        row(["?"], "This list"),
        row(["←", "↑", "→", "↓"], "On the board: another task"),
        row(["a"], "On the board: assign the task"),
        row(["y"], "On the board: approve the task"),
        row(["n"], "On the board: send the task back"),
        PAGES.map(({ name, label }) => row(["g", LETTERS[name]], `Go to ${label}`)),
      ),
    ),
  );
}
