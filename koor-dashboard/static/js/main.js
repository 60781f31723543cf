// The frame: who may come in, navigation, the state of the connection. Pages are drawn inside it by router.js.

import { knowAgents } from "./agents.js";
import { ApiError, get, setToken, token, whenRefused } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { listen } from "./keys.js";
import { onEvents, onState, retryNow, start, stop } from "./live.js";
import { PAGES } from "./pages.js";
import { begin, go } from "./router.js";
import { throttle } from "./timing.js";
import { button } from "./components/basics.js";
import { form } from "./components/form.js";
import { icon, mark } from "./components/icons.js";

whenRefused(() => {
  if (!document.querySelector(".shell")) return;
  stop();
  setToken("");
  location.reload();
});

enter();

async function enter() {
  try {
    const metrics = await get("/api/metrics");
    await shell(metrics.last_event_id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) login();
    else {
      replace(
        document.body,
        h("main.login", h(".stack", h("h1", "No answer"), h("p.soft", error.message), button("Try again", enter))),
      );
      setTimeout(() => document.querySelector(".shell, form") || enter(), 3000);
    }
  }
}

function login() {
  document.title = "Sign in · Koor";
  const asked = form({
    fields: [
      {
        name: "token",
        label: "Server token",
        type: "password",
        required: true,
        autofocus: true,
        wide: true,
        hint: "The one the server was started with (--auth-token), or an agent’s own. It stays in this tab and is gone with it.",
      },
    ],
    submit: "Sign in",
    onsubmit: async ({ token: typed }) => {
      setToken(typed.trim());
      try {
        const metrics = await get("/api/metrics");
        await shell(metrics.last_event_id);
      } catch (error) {
        setToken("");
        throw error.status === 401 ? new ApiError(401, null, "The server does not know this token.") : error;
      }
    },
  });
  replace(document.body, h("main.login", h(".stack", h("h1.brand", mark(), "Koor"), asked)));
  asked.querySelector("input").focus();
}

async function shell(lastEvent) {
  await knowAgents();
  const page = h("main.page", { id: "page", tabindex: -1 });
  const said = h(".unseen", { "aria-live": "polite" });
  const banner = h(".banner", { role: "status", hidden: true });
  const frame = h(
    ".shell",
    h("a.skip-link.unseen", { href: "#page" }, "Skip to the content"),
    topbar(),
    sidebar(),
    h(".main", banner, page),
    h(".veil", { onclick: () => openNav(false) }),
  );
  replace(document.body, h(".loading", { "aria-hidden": "true" }), frame, said);
  start(lastEvent);
  watchConnection(banner);
  watchPending();
  listen(go);
  let first = true;
  begin(page, (shown, title) => {
    openNav(false);
    for (const link of frame.querySelectorAll(".nav a")) {
      if (shown && link.pathname === `/${shown.name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    setText(said, title);
    if (!first) page.focus({ preventScroll: true });
    first = false;
  });
}

function openNav(open) {
  const frame = document.querySelector(".shell");
  frame?.classList.toggle("nav-open", open);
  frame?.querySelector(".topbar .button")?.setAttribute("aria-expanded", String(open));
  if (open) /** @type {HTMLElement} */ (frame.querySelector(".nav a")).focus();
}

function topbar() {
  return h(
    "header.topbar",
    button("", () => openNav(!document.querySelector(".nav-open")), {
      icon: "menu",
      tone: "quiet",
      label: "Navigation",
      "aria-expanded": "false",
    }),
    h("a.brand", { href: "/" }, mark(), "Koor"),
    h("span.push", h("span.link-state.link")),
  );
}

function sidebar() {
  const groups = Map.groupBy(PAGES, ({ group }) => group);
  const links = [...groups].flatMap(([group, pages]) => [
    group && h(".group", group),
    pages.map(({ name, label, icon: picture }) =>
      h(
        "a",
        { href: `/${name}` },
        icon(picture),
        label,
        name === "rules" && h("span.badge.count.pending", { hidden: true }),
      ),
    ),
  ]);
  return h(
    "aside.sidebar",
    { "aria-label": "Navigation", onkeydown: (event) => event.key === "Escape" && openNav(false) },
    h("a.brand", { href: "/" }, mark(), "Koor"),
    h("nav.nav", { "aria-label": "Pages" }, links, h("a.to-docs", { href: "/docs" }, icon("docs"), "Documentation")),
    h(".foot", h("span.link-state.link"), h(".row", themeButton(), token() && signOutButton())),
  );
}

function signOutButton() {
  return button(
    "Sign out",
    () => {
      stop();
      setToken("");
      location.assign("/");
    },
    { icon: "out", tone: "quiet", little: true },
  );
}

const THEMES = { auto: "system", light: "light", dark: "dark" };
const PICTURES = { auto: "auto", light: "sun", dark: "moon" };

function themeButton() {
  const root = document.documentElement;
  const made = button(
    "",
    () => {
      const names = Object.keys(THEMES);
      const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
      if (next === "auto") delete root.dataset.theme;
      else root.dataset.theme = next;
      try {
        localStorage.setItem("koor-theme", next);
      } catch {
        // Then the choice lasts until the tab is closed.
      }
      paint();
    },
    { tone: "quiet", little: true },
  );
  function paint() {
    const theme = root.dataset.theme ?? "auto";
    made.classList.remove("icon");
    replace(made, icon(PICTURES[theme]), `Theme: ${THEMES[theme]}`);
    made.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    made.title = "Change the theme";
  }
  paint();
  return made;
}

function watchConnection(banner) {
  let timer = 0;
  onState(({ phase, at }) => {
    const open = phase === "open";
    for (const place of document.querySelectorAll(".link-state")) {
      replace(
        place,
        h("span.dot", { class: open ? "live" : "warn" }),
        open ? "Live" : phase === "waiting" ? "Offline" : "Connecting",
      );
    }
    clearInterval(timer);
    if (open) {
      banner.hidden = true;
    } else if (phase === "waiting") {
      const words = h("span");
      const count = () =>
        setText(
          words,
          `Connection lost. Trying again in ${Math.max(1, Math.ceil((at - Date.now()) / 1000))} s; nothing will be missed.`,
        );
      count();
      timer = setInterval(count, 1000);
      replace(banner, words, button("Try now", retryNow, { little: true }));
      banner.hidden = false;
    }
  });
}

/** How many rules wait for a decision, beside the way to them. */
function watchPending() {
  const count = throttle(async () => {
    const rules = await get("/api/rules", { query: { status: "proposed" } }).catch(() => []);
    for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".pending"))) {
      place.hidden = rules.length === 0;
      replace(place, String(rules.length), h("span.unseen", " waiting for a decision"));
    }
  }, 1000);
  count();
  onEvents(["$rule.*", "$rules.*", "$template.applied", "$backup.restored"], count);
}
