// Addresses to pages: real paths, with the browser's back and forward.

import { h, replace } from "./dom.js";
import { onEvents, onGap } from "./live.js";
import { PAGES } from "./pages.js";
import { failure } from "./components/basics.js";

let root = null;
/** @type {(page: any, title: string) => void} */
let onShown = () => {};
let current = null;
let turn = 0;

/** Shows pages in that element from now on, and calls `shown(page, title)` after each. */
export function begin(element, shown) {
  root = element;
  onShown = shown;
  document.addEventListener("click", follow);
  addEventListener("popstate", () => show());
  return show();
}

/** Goes to an address of this dashboard. `replace` leaves no step in the browser's history. */
export function go(href, { replace: instead = false } = {}) {
  const url = new URL(href, location.href);
  if (url.href !== location.href) history[instead ? "replaceState" : "pushState"](null, "", url);
  return show(!instead);
}

/** Opens the page at the present address anew. */
export function reopen() {
  leave();
  return show();
}

function parse() {
  const [, first = "", ...rest] = location.pathname.split("/");
  const page = PAGES.find(({ name }) => name === first);
  return { page, rest: rest.map(decode).join("/"), query: new URLSearchParams(location.search) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function follow(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  const ours = url.origin === location.origin && PAGES.some(({ name }) => name === url.pathname.split("/")[1]);
  if (!ours || (url.hash && url.pathname === location.pathname)) return;
  event.preventDefault();
  go(url);
}

function leave() {
  current?.abort.abort();
  current = null;
}

async function show(toTop = false) {
  const { page, rest, query } = parse();
  const mine = (turn += 1);
  if (page && current?.page === page && current.handle?.update) {
    current.ctx.rest = rest;
    current.ctx.query = query;
    await guard(() => current.handle.update(current.ctx));
    return;
  }
  leave();
  if (!page) {
    document.title = "Not found · Koor";
    replace(root, h("h1", "There is no such page"), h("p", h("a", { href: "/" }, "Go to the overview")));
    onShown(null, "Not found");
    return;
  }
  const abort = new AbortController();
  const ctx = {
    root,
    rest,
    query,
    signal: abort.signal,
    go,
    on: (patterns, handler) => abort.signal.addEventListener("abort", onEvents(patterns, handler)),
    title: (text) => (document.title = `${text} · Koor`),
  };
  const entry = { page, abort, ctx, handle: null };
  current = entry;
  root.classList.add("busy");
  await guard(async () => {
    const module = await page.load();
    if (turn !== mine) return;
    root.replaceChildren();
    root.className = `page page-${page.name || "overview"}`;
    ctx.title(page.label);
    if (toTop) scrollTo(0, 0);
    onShown(page, page.label);
    entry.handle = await module.open(ctx);
    abort.signal.addEventListener(
      "abort",
      onGap(() => guard(() => entry.handle?.refresh?.())),
    );
  });
}

async function guard(work) {
  const entry = current;
  const loading = document.querySelector(".loading");
  loading?.classList.add("on");
  try {
    await work();
  } catch (error) {
    if (entry?.abort.signal.aborted || error.name === "AbortError") return;
    if (error.status !== 401) replace(root, failure(error, reopen));
    if (error.name !== "ApiError") throw error;
  } finally {
    loading?.classList.remove("on");
  }
}
