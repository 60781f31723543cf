// Searches the documentation: every section, by its words. The pages themselves need no script.

import { h, replace } from "./dom.js";

const SHOWN = 20;
const BEFORE = 48;
const AFTER = 130;

const box = /** @type {HTMLElement} */ (document.querySelector(".search"));
const field = box.querySelector("input");
const said = box.querySelector("[role=status]");
const list = /** @type {HTMLElement} */ (box.querySelector(".found"));

let sections = null;

/** Read once, before the first search. */
function index() {
  sections ??= fetch("/docs/index.tsv")
    .then((answer) => answer.text())
    .then(
      (text) =>
        text
          .trimEnd()
          .split("\n")
          .map((line) => {
            const [href, page, heading, words] = line.split("\t");
            return {
              href,
              page,
              heading,
              words,
              low: { page: page.toLowerCase(), heading: heading.toLowerCase(), words: words.toLowerCase() },
            };
          }),
      (error) => {
        sections = null;
        throw error;
      },
    );
  return sections;
}

/** How well a section answers; 0 if it lacks one of the terms. Headings count more than words, whole phrases more than parts. */
function worth({ low }, terms, phrase) {
  let sum = 0;
  for (const term of terms) {
    const here =
      (low.heading.includes(term) ? 12 : 0) +
      (low.page.includes(term) ? 4 : 0) +
      Math.min(low.words.split(term).length - 1, 4);
    if (!here) return 0;
    sum += here;
  }
  if (low.heading === phrase) sum += 40;
  else if (low.heading.includes(phrase)) sum += 10;
  else if (low.words.includes(phrase)) sum += 6;
  return sum;
}

async function search() {
  const phrase = field.value.trim().toLowerCase().replace(/\s+/g, " ");
  const terms = phrase.split(" ").filter(Boolean);
  if (!terms.length) return close();
  const all = await index();
  // The text may have changed meanwhile.
  if (field.value.trim().toLowerCase().replace(/\s+/g, " ") !== phrase) return;
  const found = all
    .map((section) => ({ section, worth: worth(section, terms, phrase) }))
    .filter(({ worth }) => worth)
    .sort((one, other) => other.worth - one.worth);
  const lines = found.slice(0, SHOWN).map(({ section }) => h("li", line(section, terms)));
  replace(list, lines.length ? lines : h("li.none", "Nothing has all of these words."));
  said.textContent = found.length === 1 ? "1 section found" : `${found.length} sections found`;
  list.hidden = false;
}

function line({ href, page, heading, words }, terms) {
  return h(
    "a",
    { href },
    h("b", marked(heading, terms)),
    heading !== page && h("span.of", page),
    h("span.words", marked(extract(words, terms), terms)),
  );
}

/** The words around the longest term that is among them, which says most. */
function extract(words, terms) {
  const low = words.toLowerCase();
  const term = [...terms].sort((one, other) => other.length - one.length).find((term) => low.includes(term));
  const at = term ? low.indexOf(term) : 0;
  const from = at <= BEFORE ? 0 : Math.min(words.indexOf(" ", at - BEFORE) + 1, at);
  const to = at + AFTER >= words.length ? words.length : words.lastIndexOf(" ", at + AFTER);
  return (from ? "… " : "") + words.slice(from, Math.max(to, at)) + (to < words.length ? " …" : "");
}

function marked(text, terms) {
  const low = text.toLowerCase();
  const parts = [];
  let at = 0;
  while (at < text.length) {
    const next = terms
      .map((term) => ({ term, at: low.indexOf(term, at) }))
      .filter((hit) => hit.at >= 0)
      .sort((one, other) => one.at - other.at || other.term.length - one.term.length)[0];
    if (!next) break;
    parts.push(text.slice(at, next.at), h("mark", text.slice(next.at, next.at + next.term.length)));
    at = next.at + next.term.length;
  }
  return [...parts, text.slice(at)];
}

function close() {
  list.hidden = true;
  list.replaceChildren();
  said.textContent = "";
}

function step(event, by) {
  /** @type {Element[]} */
  const places = [field, ...list.querySelectorAll("a")];
  const next = /** @type {HTMLElement | undefined} */ (places[places.indexOf(document.activeElement) + by]);
  if (!next || list.hidden) return;
  event.preventDefault();
  next.focus();
}

field.addEventListener("focus", () => index().catch(() => {}));
field.addEventListener("input", search);
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") step(event, 1);
  else if (event.key === "ArrowUp") step(event, -1);
  else if (event.key === "Enter" && event.target === field) list.querySelector("a")?.click();
  else if (event.key === "Escape") {
    field.value = "";
    field.focus();
    close();
  }
});
// A link within this page leaves the results in its way.
list.addEventListener("click", ({ target }) => target instanceof Element && target.closest("a") && close());
document.addEventListener("click", ({ target }) => target instanceof Node && !box.contains(target) && close());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target === field) return;
  event.preventDefault();
  field.focus();
});
box.hidden = false;

// Where the list of pages scrolls by itself, the page that is shown is in sight.
const contents = document.querySelector(".contents");
const here = /** @type {HTMLElement | null} */ (contents.querySelector("[aria-current]"));
if (here && contents.scrollHeight > contents.clientHeight)
  contents.scrollTop = here.offsetTop - contents.clientHeight / 2;
