// Events: the log as it grows, or as it was in some span of time; and publishing.

import { get, post, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { count, moment, plural } from "../format.js";
import { isGlob, matcher } from "../glob.js";
import { merged } from "../log.js";
import { debounce } from "../timing.js";
import { ago, button, copyButton, empty, flushPanel, pageHead, segments } from "../components/basics.js";
import { openDialog } from "../components/dialog.js";
import { agentLink, eventLine, kept, lineHeight } from "../components/event-row.js";
import { form } from "../components/form.js";
import { jsonTree, pretty } from "../components/json-view.js";
import { more } from "../components/table.js";
import { toast } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";

// Bounded, so that an hour of tailing costs no more than a minute.
const KEPT_LIVE = 2000;
const PAGE = 500;

export async function open(ctx) {
  const { root, signal } = ctx;
  let filter = read(ctx.query);
  let events = [];
  let chosen = null;
  let paused = false;
  let missed = [];

  const tally = h("span.lead.num");
  const pause = button("Pause", toggle, { icon: "pause", "aria-pressed": "false" });
  root.append(pageHead("Events", tally, pause, button("Publish", publish, { icon: "send", tone: "primary" })));
  const problem = h("span.wrong.small", { role: "alert" });
  const bar = toolbar();
  const list = virtualList({
    label: "Events, the newest first",
    height: lineHeight(),
    key: ({ id }) => id,
    draw: (event) => eventLine(event),
    isChosen: ({ id }) => id === chosen?.id,
    onpick: (event) => look(event),
  });
  list.classList.add("event-list");
  const none = h("div");
  const older = more("Older ones", async () => {
    const last = events.at(-1);
    await load(last?.created_at);
  });
  const detail = h("div.to");
  const split = h(".events-split", flushPanel(null, null, none, list, older), detail);
  root.append(bar, split);

  await load();
  ctx.on(["*", "$*"], arrive);
  if (ctx.query.get("id")) await lookUp(Number(ctx.query.get("id")));

  function topics() {
    if (filter.topic)
      return filter.topic
        .split(",")
        .map((pattern) => pattern.trim())
        .filter(Boolean);
    return filter.system ? ["*", "$*"] : ["*"];
  }

  async function load(before) {
    const asked = { last: PAGE, source: filter.source, from: time(filter.from), to: before ?? time(filter.to) };
    const lists = await Promise.all(
      topics().map((topic) => get("/api/events/history", { query: { ...asked, topic }, signal })),
    );
    const known = new Set(before ? events.map(({ id }) => id) : []);
    const found = [
      ...new Map(
        lists
          .flat()
          .filter(({ id }) => !known.has(id))
          .map((event) => [event.id, event]),
      ).values(),
    ];
    const sized = found.map((event) => kept({ ...event, size: event.size ?? roughly(event.data) }));
    events = [...(before ? events : []), ...sized].sort((a, b) => b.id - a.id);
    older.hidden = lists.every((one) => one.length < PAGE);
    missed = [];
    paint();
  }

  function paint() {
    list.show(events);
    list.hidden = events.length === 0;
    replace(
      none,
      events.length === 0 &&
        (filtered()
          ? empty("filter", "Nothing matches", "Change the filters to see more.")
          : empty(
              "events",
              "No events yet",
              "An agent publishes one with ",
              h("code", "koor events publish <topic>"),
              "; you can with the button above.",
            )),
    );
    const live = filter.from || filter.to ? "as it was" : paused ? `paused, ${count(missed.length)} new` : "live";
    replace(tally, `${plural(events.length, "event")}, ${live}`);
  }

  function filtered() {
    return filter.topic || filter.source || filter.from || filter.to;
  }

  function arrive(batch) {
    if (filter.from || filter.to) return;
    const matches = matcher(topics());
    const fresh = batch
      .filter((event) => matches(event.topic) && (!filter.source || event.source === filter.source))
      .map(kept)
      .reverse();
    if (!fresh.length) return;
    if (paused) {
      missed = merged(fresh, missed, KEPT_LIVE);
    } else {
      const first = events[0]?.id;
      events = merged(fresh, events, KEPT_LIVE);
      paint();
      // A visitor who has scrolled down is reading: the lines stay where they are.
      if (list.scrollTop > 0) list.scrollTop += events.findIndex(({ id }) => id === first) * lineHeight();
      return;
    }
    paint();
  }

  function toggle() {
    paused = !paused;
    if (!paused) {
      events = merged(missed, events, KEPT_LIVE);
      missed = [];
    }
    const next = button(paused ? "Resume" : "Pause", toggle, {
      icon: paused ? "play" : "pause",
      "aria-pressed": String(paused),
    });
    pause.setAttribute("aria-pressed", String(paused));
    pause.replaceChildren(...next.childNodes);
    paint();
  }

  async function lookUp(id) {
    const [event] = await get("/api/events/history", { query: { after: id - 1, last: 1, topic: "*" }, signal }).catch(
      () => [],
    );
    const [system] = await get("/api/events/history", { query: { after: id - 1, last: 1, topic: "$*" }, signal }).catch(
      () => [],
    );
    const found = [event, system].find((one) => one?.id === id);
    if (found) look(found, false);
    else toast(`Event ${id} is not kept any more.`, "note");
  }

  async function look(event, remember = true) {
    chosen = event;
    list.redraw();
    if (event.left) return lookUp(event.id);
    split.classList.add("picked");
    replace(
      detail,
      flushPanel(
        h("h2.clip.data", { title: event.topic }, event.topic),
        [
          copyButton(() => pretty(event.data) ?? "", "Copy the data"),
          button("", unlook, { icon: "close", tone: "quiet", little: true, label: "Close" }),
        ],
        h(
          "dl.facts.event-facts",
          h("dt", "Id"),
          h("dd.num", String(event.id)),
          h("dt", "From"),
          h("dd", agentLink(event.source)),
          h("dt", "At"),
          h("dd", `${moment(event.created_at)} `, h("span.faint", "(", ago(event.created_at, " ago"), ")")),
        ),
        jsonTree(event.data ?? null, "Data of the event"),
      ),
    );
    if (remember) ctx.go(address({ ...filter, id: event.id }), { replace: true });
    if (detail.getBoundingClientRect().bottom > innerHeight && split.clientWidth < 900)
      detail.scrollIntoView({ block: "nearest" });
  }

  function unlook() {
    chosen = null;
    split.classList.remove("picked");
    replace(detail);
    list.redraw();
    ctx.go(address(filter), { replace: true });
    list.focus();
  }

  function toolbar() {
    const change = (part) => ctx.go(address({ ...filter, ...part }), { replace: true });
    const typed = debounce((topic) => {
      const wrong = topic.split(",").some((pattern) => !isGlob(pattern.trim()));
      replace(problem, wrong && "This is not a pattern.");
      if (!wrong) change({ topic });
    }, 250);
    const input = (label, value, oninput, more) =>
      h("input.input", {
        "aria-label": label,
        placeholder: label,
        value,
        oninput: ({ target }) => oninput(target.value),
        autocomplete: "off",
        spellcheck: "false",
        dir: "auto",
        ...more,
      });
    return h(
      ".toolbar",
      input("Topics, such as truck-wash.*.done", filter.topic, typed, {
        type: "search",
        class: "grow mono topic-filter",
      }),
      problem,
      input(
        "Source",
        filter.source,
        debounce((source) => change({ source }), 250),
        { type: "search" },
      ),
      h(
        "label.row",
        h("span.small.faint", "from"),
        input("From", filter.from, (from) => change({ from }), { type: "datetime-local", step: 1 }),
      ),
      h(
        "label.row",
        h("span.small.faint", "to"),
        input("To", filter.to, (to) => change({ to }), { type: "datetime-local", step: 1 }),
      ),
      segments(
        "Which events",
        [
          ["", "Agents’"],
          ["1", "All"],
        ],
        filter.system,
        (system) => change({ system }),
      ),
    );
  }

  async function publish() {
    await openDialog("Publish an event", (close) =>
      form({
        fields: [
          {
            name: "topic",
            label: "Topic",
            required: true,
            wide: true,
            mono: true,
            placeholder: "truck-wash.controller.task",
            autofocus: true,
          },
          { name: "source", label: "Source", hint: "Who publishes it; optional." },
          {
            name: "data",
            label: "Data (JSON)",
            type: "textarea",
            json: true,
            rows: 6,
            placeholder: '{ "task": "TW-12" }',
          },
        ],
        submit: "Publish",
        cancel: () => close(),
        onsubmit: async ({ topic, source, data }) => {
          const event = await post("/api/events/publish", { topic, data: data ?? null, ...(source && { source }) });
          close();
          toast(`Event ${event.id} is published.`);
        },
      }),
    );
  }

  return {
    update: async ({ query }) => {
      const next = read(query);
      const same = JSON.stringify(next) === JSON.stringify(filter);
      filter = next;
      if (!same) await load();
    },
    refresh: () => load(),
  };
}

function read(query) {
  const part = (name) => query.get(name) ?? "";
  return { topic: part("topic"), source: part("source"), from: part("from"), to: part("to"), system: part("system") };
}

function address(filter) {
  return withQuery("/events", filter);
}

/** The visitor's local time, as the server reads it. */
function time(local) {
  return local && new Date(local).toISOString();
}

function roughly(data) {
  return typeof data === "object" && data !== null ? (pretty(data)?.length ?? 0) : String(data).length;
}
