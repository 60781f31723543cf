// Webhooks: who is told of events, how far, and what went wrong.

import { del, get, post } from "../api.js";
import { h, replace } from "../dom.js";
import { count, plural } from "../format.js";
import { isGlob, matcher } from "../glob.js";
import { throttle } from "../timing.js";
import { ago, badge, button, empty, failure, pageHead } from "../components/basics.js";
import { confirm, openDialog } from "../components/dialog.js";
import { form } from "../components/form.js";
import { icon } from "../components/icons.js";
import { table } from "../components/table.js";
import { attempt, toast } from "../components/toast.js";

const TOPICS = ["$webhook.*", "$backup.restored"];
const MOST_ROWS = 500;
// A delivery announces nothing by itself: what was published is looked at again once a receiver had the time to take it.
const DELIVERED = 900;

// Where there is room for both, the first one is shown beside the list.
const isWide = () => matchMedia("(min-width: 60.01rem)").matches;
const hrefOf = (id) => `/webhooks/${encodeURIComponent(id)}`;
const pathOf = (id) => `/api/webhooks/${encodeURIComponent(id)}`;

export async function open(ctx) {
  let hooks = [];
  let timer = 0;
  const lead = h("span");
  const from = h(".panel.from");
  const side = h(".panel.to");
  const split = h(".split.webhooks", from, side);
  const list = table({
    label: "Webhooks",
    key: ({ id }) => id,
    href: ({ id }) => hrefOf(id),
    go: ctx.go,
    chosen: ({ id }) => id === ctx.rest,
    columns: [
      {
        label: "Webhook",
        sort: ({ id }) => id,
        render: (hook) =>
          h(
            ".stack.tight",
            h("a.data.strong", { href: hrefOf(hook.id) }, hook.id),
            h("span.data.faint.small", hook.url),
          ),
      },
      {
        label: "Status",
        fit: true,
        sort: health,
        render: (hook) =>
          h(
            ".stack.tight.hook-state",
            statusOf(hook),
            hook.pending > 0 && h("span.faint.small.num", `${count(hook.pending)} waiting`),
          ),
      },
    ],
  });
  ctx.root.append(
    pageHead(
      "Webhooks",
      lead,
      button("Refresh", () => refresh(), { icon: "refresh" }),
      button("Add a webhook", add, { icon: "plus", tone: "primary" }),
    ),
    split,
  );

  async function load() {
    hooks = await get("/api/webhooks", { signal: ctx.signal });
    const off = hooks.filter(({ active }) => !active).length;
    replace(lead, hooks.length ? `${plural(hooks.length, "webhook")}${off ? `, ${count(off)} switched off` : ""}` : "");
    paintList();
  }

  function paintList() {
    // New objects, so that each row is drawn anew: which one is chosen may have changed.
    list.show(hooks.slice(0, MOST_ROWS).map((hook) => ({ ...hook })));
    replace(
      from,
      hooks.length
        ? list
        : empty(
            "webhooks",
            "No webhooks yet",
            "The server calls a webhook with each event of its topics: at least once, in order, across restarts. Add one here, or with ",
            h("code", "koor webhooks add"),
            ".",
          ),
      hooks.length > MOST_ROWS && h("p.padded.faint.small", `The first ${MOST_ROWS} of ${count(hooks.length)}.`),
    );
  }

  async function add() {
    const made = await openDialog("Add a webhook", (close) => {
      const asked = form({
        fields: [
          { name: "id", label: "Id", required: true, placeholder: "ci" },
          {
            name: "url",
            label: "URL",
            type: "url",
            required: true,
            placeholder: "https://example.com/hook",
            wide: true,
          },
          {
            name: "patterns",
            label: "Topics",
            list: true,
            mono: true,
            value: "*",
            wide: true,
            hint: "Patterns, separated by commas. * is every event of users and agents; $* the server’s own.",
            check: (patterns) =>
              patterns.filter((pattern) => !isGlob(pattern)).map((pattern) => `${pattern} is not a pattern.`)[0],
          },
          {
            name: "secret",
            label: "Secret",
            mono: true,
            wide: true,
            hint: "Calls are signed with it. It is never shown again: copy it now.",
          },
        ],
        children: [
          h(
            "div",
            button("Generate a secret", () => (asked.inputs.get("secret").input.value = newSecret()), { little: true }),
          ),
        ],
        submit: "Add",
        cancel: () => close(),
        onsubmit: async ({ secret, ...values }) =>
          close(await post("/api/webhooks", { ...values, ...(secret && { secret }) })),
      });
      return asked;
    });
    if (!made) return;
    toast(`${made.id} is told of events from now on.`);
    ctx.go(hrefOf(made.id));
  }

  let turn = 0;
  async function paintSide() {
    const mine = (turn += 1);
    const id = ctx.rest;
    split.classList.toggle("picked", Boolean(id));
    ctx.title(id ? `${id} · Webhooks` : "Webhooks");
    if (!id && hooks.length && isWide()) {
      ctx.go(hrefOf(hooks[0].id), { replace: true });
      return;
    }
    if (!id) {
      replace(side, empty("webhooks", "Select a webhook", "Its last fifty calls are shown here."));
      return;
    }
    if (!hooks.some((hook) => hook.id === id)) {
      replace(
        side,
        empty(
          "webhooks",
          "This webhook is not there",
          "It was deleted, or never existed. ",
          h("a", { href: "/webhooks" }, "Back to all webhooks"),
        ),
      );
      return;
    }
    try {
      const [hook, deliveries] = await Promise.all([
        get(pathOf(id), { signal: ctx.signal }),
        get(`${pathOf(id)}/deliveries`, { signal: ctx.signal }),
      ]);
      if (turn === mine) replace(side, hookView(hook, deliveries));
    } catch (error) {
      if (error.name === "AbortError" || turn !== mine) return;
      replace(
        side,
        h(
          ".padded.stack",
          h("a", { href: "/webhooks" }, "Back to all webhooks"),
          failure(error, error.status === 404 ? null : paintSide),
        ),
      );
      if (error.name !== "ApiError") throw error;
    }
  }

  function hookView(hook, deliveries) {
    return [
      h(
        "header",
        h(
          "a.button.quiet.icon.little.only-narrow",
          { href: "/webhooks", "aria-label": "Back to all webhooks", title: "Back to all webhooks" },
          icon("back"),
        ),
        h("h2.data", hook.id),
        statusOf(hook),
        h(
          "span.push",
          button(
            "Test",
            async ({ currentTarget }) => {
              currentTarget.disabled = true;
              await attempt(() => post(`${pathOf(hook.id)}/test`), `${hook.id} took a test call.`);
              await refresh();
            },
            { icon: "send", little: true },
          ),
          !hook.active &&
            button(
              "Enable",
              () =>
                attempt(
                  () => post(`${pathOf(hook.id)}/enable`),
                  `${hook.id} is on again, and goes on where it stopped.`,
                ),
              { icon: "play", little: true, tone: "primary" },
            ),
          button("Delete", () => remove(hook), { icon: "trash", little: true, tone: "danger" }),
        ),
      ),
      h(
        ".body.stack",
        !hook.active &&
          h(
            ".notice",
            `Switched off after ${plural(hook.fail_count, "failure")} in a row. Nothing is lost: it goes on from event ${count(hook.cursor)} when it is enabled.`,
          ),
        hook.last_error && h(".problem", h("span.data", hook.last_error)),
        h(
          "dl.facts",
          h("dt", "URL"),
          h("dd.data", hook.url),
          h("dt", "Topics"),
          h(
            "dd",
            h(
              ".row.wrap",
              hook.patterns.map((pattern) => h("code.tag", pattern)),
            ),
          ),
          h("dt", "Signed"),
          h("dd", hook.has_secret ? "with a secret" : h("span.faint", "no")),
          h("dt", "Up to event"),
          h("dd.num", count(hook.cursor), hook.pending > 0 && h("span.faint", `, ${count(hook.pending)} waiting`)),
          h("dt", "Last taken"),
          h("dd", hook.last_fired ? ago(hook.last_fired, " ago") : h("span.faint", "never")),
          h("dt", "Since"),
          h("dd", ago(hook.created_at, " ago")),
        ),
        h("h3", "Last calls"),
      ),
      deliveries.length
        ? deliveryTable(deliveries)
        : empty("send", "No calls yet", "Test it, or publish an event of its topics."),
    ];
  }

  async function remove(hook) {
    const sure = await confirm(
      `Delete ${hook.id}?`,
      `${hook.url} is told of no more events. ${hook.pending ? `${plural(hook.pending, "event")} that wait for it are not delivered. ` : ""}Its secret and its place in the log are forgotten.`,
      "Delete",
    );
    if (!sure || !(await attempt(() => del(pathOf(hook.id)), `${hook.id} is deleted.`))) return;
    hooks = hooks.filter(({ id }) => id !== hook.id);
    ctx.go("/webhooks");
  }

  async function refresh() {
    await load();
    await paintSide();
  }
  const renew = throttle(() => refresh().catch(said), 700);
  ctx.on(TOPICS, renew);
  ctx.on(["*", "$*"], (events) => {
    const wanted = matcher(hooks.filter(({ active }) => active).flatMap(({ patterns }) => patterns));
    if (timer || !events.some(({ topic }) => wanted(topic))) return;
    timer = setTimeout(() => {
      timer = 0;
      if (!ctx.signal.aborted) renew();
    }, DELIVERED);
  });
  await refresh();
  return {
    refresh,
    update: async () => {
      paintList();
      await paintSide();
    },
  };
}

const said = (error) => {
  if (error.name === "ApiError") toast(error.message, "bad");
  else if (error.name !== "AbortError") throw error;
};

function health({ active, fail_count }) {
  return active ? (fail_count ? 1 : 2) : 0;
}

function statusOf(hook) {
  if (!hook.active) return badge("off", "bad");
  return hook.fail_count ? badge(`${plural(hook.fail_count, "failure")} in a row`, "warn") : badge("on", "good");
}

function deliveryTable(deliveries) {
  return table({
    label: "Last calls",
    key: ({ event_id, attempt: nth, at }) => `${event_id} ${nth} ${at}`,
    columns: [
      {
        label: "Answer",
        fit: true,
        render: ({ status, error }) => (error ? badge(status || "none", "bad") : badge(status, "good")),
      },
      {
        label: "Event",
        render: ({ event_id }) => h("span.num", event_id ? `#${count(event_id)}` : h("span.faint", "test")),
      },
      { label: "Try", end: true, fit: true, render: ({ attempt: nth }) => nth },
      { label: "Took", end: true, fit: true, render: ({ duration_ms }) => `${count(duration_ms)} ms` },
      { label: "When", fit: true, render: ({ at }) => ago(at, " ago") },
      { label: "Why it failed", render: ({ error }) => error && h("span.data.soft", error) },
    ],
  }).show(deliveries);
}

function newSecret() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
