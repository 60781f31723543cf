// State: the tree of keys, one value of it, its history, and changing it without undoing another writer's change.

import { call, del, get, pathOf, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { bytes as size, count, plural } from "../format.js";
import { throttle } from "../timing.js";
import {
  ago,
  badge,
  button,
  copyButton,
  download,
  empty,
  failure,
  flushPanel,
  pageHead,
  search,
  select,
  tabs,
} from "../components/basics.js";
import { confirm, openDialog } from "../components/dialog.js";
import { diffView } from "../components/diff-view.js";
import { agentLink } from "../components/event-row.js";
import { form } from "../components/form.js";
import { decode, jsonTree, reindent, valueView } from "../components/json-view.js";
import { keyTree } from "../components/key-tree.js";
import { table } from "../components/table.js";
import { attempt, toast } from "../components/toast.js";

// A value larger than this is not put into a text field.
const EDITABLE = 1_000_000;
const DIFFABLE = 3_000_000;

export async function open(ctx) {
  const { root, signal } = ctx;
  const keys = new Map();
  const tally = h("span.lead.num");
  const tree = keyTree({ href: (key) => `/state/${pathOf(key)}`, go: ctx.go });
  const place = h(".to.stack");
  const split = h(
    ".split",
    h(".from", flushPanel(h(".grow", search("Find a key", "", tree.find)), null, tree.element)),
    place,
  );
  root.append(
    pageHead(
      "State",
      tally,
      button("New key", () => create(ctx), { icon: "plus" }),
    ),
    split,
  );
  let shown = null;

  async function load() {
    const list = await get("/api/state", { signal });
    keys.clear();
    for (const entry of list) keys.set(entry.key, entry);
    paint();
  }
  function paint() {
    tree.show([...keys.keys()].sort());
    replace(
      tally,
      `${plural(keys.size, "key")}, ${size([...keys.values()].reduce((sum, { size: one }) => sum + (one ?? 0), 0))}`,
    );
  }
  const paintSoon = throttle(paint, 300);

  ctx.on(["$state.changed"], (events) => {
    for (const { data, created_at } of events) {
      if (data.deleted) keys.delete(data.key);
      else keys.set(data.key, { ...keys.get(data.key), key: data.key, version: data.version, updated_at: created_at });
      tree.touch(data.key);
    }
    paintSoon();
    const mine = events.findLast(({ data }) => data.key === shown?.key);
    if (mine) shown.changed(mine);
  });
  ctx.on(["$backup.restored"], load);

  async function update() {
    const key = ctx.rest;
    split.classList.toggle("picked", key !== "");
    tree.choose(key);
    if (!key) {
      shown = null;
      replace(
        place,
        flushPanel(
          null,
          null,
          empty("state", "No key selected", "Shared values, with every version, its author and its time."),
        ),
      );
      ctx.title("State");
      return;
    }
    ctx.title(key);
    shown?.abort.abort();
    shown = document_(ctx, key, place);
    await shown.load();
  }

  await load();
  await update();
  return { update, refresh: async () => Promise.all([load(), update()]) };
}

/** One key: its value, or its history. */
function document_(ctx, key, place) {
  const path = `/api/state/${pathOf(key)}`;
  const here = `/state/${pathOf(key)}`;
  const abort = new AbortController();
  ctx.signal.addEventListener("abort", () => abort.abort(), { signal: abort.signal });
  const { signal } = abort;
  const notices = h("div");
  let editing = false;
  let loaded = 0;

  async function load() {
    const tab = ctx.query.get("tab") ?? "value";
    const { versions } = await get(path, { query: { history: 1, limit: 500 }, signal });
    if (signal.aborted) return;
    if (versions.length === 0) {
      replace(place, flushPanel(null, null, empty("state", "There is no such key", key)));
      return;
    }
    const [newest] = versions;
    loaded = newest.version;
    editing = false;
    replace(notices);
    const body = h(".stack");
    replace(place, head(newest, versions), notices, body);
    if (tab === "history") await history(body, versions);
    else await value(body, versions);
  }

  function head(newest, versions) {
    const crumbs = key.split("/");
    return h(
      ".stack.tight",
      h(
        ".row.wrap",
        h("a.button.quiet.little.only-narrow", { href: "/state" }, "‹ Keys"),
        h(
          "h2.key-name.data",
          crumbs.map((part, at) => [
            at > 0 && h("span.faint", " / "),
            at < crumbs.length - 1 ? h("span.soft", part) : part,
          ]),
        ),
        newest.deleted ? badge("deleted", "bad") : badge(`v${newest.version}`, "accent"),
        h(
          ".push.row",
          !newest.deleted && button("Edit", () => edit(newest), { icon: "edit", little: true }),
          !newest.deleted && button("Delete", () => remove(newest), { icon: "trash", little: true, tone: "danger" }),
        ),
      ),
      h(
        "p.dots.small.faint",
        h(
          "span",
          newest.deleted ? "deleted " : "written ",
          ago(newest.updated_at, " ago"),
          " by ",
          agentLink(newest.updated_by),
        ),
        h("span", size(newest.size ?? 0)),
        h("span", newest.content_type),
      ),
      tabs("Parts of this key", [
        [here, "Value", ctx.query.get("tab") !== "history"],
        [`${here}?tab=history`, `History (${count(versions.length)})`, ctx.query.get("tab") === "history"],
      ]),
    );
  }

  async function read(version) {
    const answer = await call("GET", path, { query: { version }, signal });
    return {
      type: answer.headers.get("Content-Type"),
      hash: answer.headers.get("ETag")?.replaceAll('"', ""),
      buffer: await answer.arrayBuffer(),
    };
  }

  async function value(body, versions) {
    const wanted = Number(ctx.query.get("v")) || versions.find(({ deleted }) => !deleted)?.version;
    if (!wanted) return;
    const { buffer, type } = await read(wanted);
    if (signal.aborted) return;
    const text = decode(buffer);
    const old = wanted !== versions[0].version;
    replace(
      body,
      old &&
        h(
          ".notice",
          `This is version ${wanted}.`,
          h(
            ".push.row",
            button("Roll back to it", () => rollBack(wanted, versions[0]), { icon: "undo", little: true }),
            h("a.button.little", { href: here }, "Show the newest"),
          ),
        ),
      flushPanel(
        null,
        null,
        h(
          ".value-tools",
          text !== null && text.length < DIFFABLE && copyButton(text, "Copy the value"),
          button("", () => download(key.replaceAll("/", "-"), buffer, type), {
            icon: "download",
            tone: "quiet",
            little: true,
            label: "Download",
          }),
        ),
        valueView(buffer, type, key),
      ),
    );
  }

  async function history(body, versions) {
    const real = versions.filter(({ deleted }) => !deleted).map(({ version }) => version);
    const b = Number(ctx.query.get("b")) || real[0];
    const a = Number(ctx.query.get("a")) || real[Math.min(1, real.length - 1)];
    const to = (next) => ctx.go(withQuery(here, { tab: "history", a, b, ...next }), { replace: true });
    const options = real.map((version) => [String(version), `Version ${version}`]);
    const difference = h("div");
    const list = table({
      label: "Versions",
      key: ({ version }) => version,
      columns: [
        {
          label: "Version",
          fit: true,
          render: ({ version, deleted }) =>
            deleted
              ? badge(`v${version} deleted`, "bad")
              : h("a.num", { href: withQuery(here, { v: version }) }, `v${version}`),
        },
        { label: "When", fit: true, render: ({ updated_at: at }) => ago(at, " ago") },
        { label: "By", render: ({ updated_by: by }) => agentLink(by) },
        { label: "Size", fit: true, end: true, render: (one) => size(one.size ?? 0) },
        {
          label: "Do",
          unseen: true,
          fit: true,
          end: true,
          render: ({ version, deleted }) => {
            const before = real[real.indexOf(version) + 1];
            return h(
              ".row",
              !deleted &&
                before &&
                button("Compare", () => to({ a: before, b: version }), { little: true, tone: "quiet" }),
              !deleted &&
                version !== versions[0].version &&
                button("Roll back", () => rollBack(version, versions[0]), {
                  little: true,
                  tone: "quiet",
                  icon: "undo",
                }),
            );
          },
        },
      ],
    }).show(versions);
    replace(
      body,
      real.length > 1 &&
        flushPanel(
          h(
            ".row.wrap",
            h("h2", "Compare"),
            select("Before", options, String(a), (next) => to({ a: next })),
            h("span.faint", "with"),
            select("After", options, String(b), (next) => to({ b: next })),
          ),
          null,
          difference,
        ),
      flushPanel("Versions", null, h(".versions", list)),
    );
    if (real.length > 1) await compare(difference, a, b);
  }

  async function compare(into, a, b) {
    const [old, now] = await Promise.all([read(a), read(b)]);
    const texts = [old, now].map(({ buffer, type }) => legible(buffer, type));
    const view = texts.every((text) => text !== null && text.length < DIFFABLE)
      ? diffView(texts[0], texts[1], `Version ${a} beside version ${b}`)
      : null;
    if (view) {
      replace(into, view);
      return;
    }
    try {
      const { diffs } = await get(path, { query: { diff: `${a},${b}` }, signal });
      replace(
        into,
        h("p.notice", `Too much differs to show it side by side: ${plural(diffs.length, "difference")}.`),
        jsonTree(diffs, "Differences"),
      );
    } catch (error) {
      replace(
        into,
        error.status === 400
          ? empty(
              "info",
              "These are not texts",
              `Version ${a} has ${size(old.buffer.byteLength)}, version ${b} ${size(now.buffer.byteLength)}.`,
            )
          : failure(error),
      );
    }
  }

  async function edit(newest) {
    const { buffer, type, hash } = await read(newest.version);
    const text = decode(buffer);
    if (text === null || text.length > EDITABLE) {
      toast(text === null ? "Binary values can’t be edited here." : "This is too large to be edited here.", "note");
      return;
    }
    editing = true;
    let base = { hash, version: newest.version };
    const conflict = h("div");
    const asked = form({
      fields: [
        {
          name: "value",
          label: `Value of ${key}`,
          type: "textarea",
          mono: true,
          rows: 22,
          value: legible(buffer, type),
          check: (typed) =>
            typed === "" ? "A value can’t be empty; delete the key instead." : /json/.test(type) && problemOf(typed),
        },
      ],
      children: [conflict],
      submit: "Save",
      cancel: () => load(),
      onsubmit: async ({ value: typed }) => {
        try {
          const answer = await call("PUT", path, {
            body: typed,
            headers: { "If-Match": `"${base.hash}"`, "Content-Type": type },
          });
          const { version } = await answer.json();
          toast(`${key} is at version ${version} now.`);
          await load();
        } catch (error) {
          if (error.status !== 412) throw error;
          await showConflict(typed, error.body);
        }
      },
    });
    async function showConflict(typed, { version, hash: theirs }) {
      if (!version) {
        replace(conflict, h(".problem", "This key was deleted meanwhile. Nothing was saved."));
        return;
      }
      const other = await read(version);
      replace(
        conflict,
        h(
          ".stack",
          h(
            ".problem",
            { role: "alert" },
            h("span", `Another writer saved version ${version} while you were editing. Nothing was saved.`),
          ),
          h(
            ".row.wrap",
            h("span.small.faint.grow", `Left: version ${version}, as they left it. Right: what you typed.`),
            button("Drop mine", () => load(), { little: true }),
            button(
              "Save mine over it",
              () => {
                // Still conditional: on the version that was just looked at.
                base = { hash: theirs, version };
                asked.requestSubmit();
              },
              { little: true, tone: "danger" },
            ),
          ),
          diffView(legible(other.buffer, other.type) ?? "", tidy(typed, type)) ??
            h("p", "Too much differs to show it."),
        ),
      );
    }
    replace(place.lastChild, flushPanel(null, null, h(".body", asked)));
    asked.querySelector("textarea").focus();
  }

  async function remove({ hash }) {
    if (
      !(await confirm(
        "Delete this key?",
        `${key} is gone for every agent. Its history stays, and a version can be brought back.`,
        "Delete",
      ))
    )
      return;
    await attempt(() => del(path, { headers: { "If-Match": `"${hash}"` } }), `${key} is deleted.`);
  }

  async function rollBack(version, newest) {
    if (
      !(await confirm(
        "Roll back?",
        `Version ${version} of ${key} becomes the newest one. Nothing is lost: what is there now stays in the history.`,
        "Roll back",
        { danger: false },
      ))
    )
      return;
    // Only onto what is shown here: a version that was written meanwhile is not overwritten unseen.
    const shown = newest.deleted
      ? { query: { rollback: version, if_version: 0 } }
      : { query: { rollback: version }, headers: { "If-Match": `"${newest.hash}"` } };
    const done = await attempt(() => call("POST", path, shown), `${key} is at what version ${version} was.`);
    if (done) ctx.go(here);
  }

  function changed({ data }) {
    if (data.version <= loaded) return;
    if (editing)
      replace(
        notices,
        h(
          ".notice",
          { role: "status" },
          `Version ${data.version} was written while you are editing. Saving will not overwrite it.`,
        ),
      );
    else if (ctx.query.get("v") || ctx.query.get("tab"))
      replace(
        notices,
        h(
          ".notice",
          { role: "status" },
          data.deleted ? "The key was deleted just now." : `Version ${data.version} was written just now.`,
          h(".push", button("Show it", load, { little: true })),
        ),
      );
    else load().catch((error) => error.name === "AbortError" || replace(notices, failure(error, load)));
  }

  return { key, load, changed, abort };
}

function legible(buffer, type) {
  const text = decode(buffer);
  return text === null ? null : tidy(text, type);
}

/** The text, indented where it is JSON. */
function tidy(text, type) {
  if (!/json/i.test(type ?? "")) return text;
  try {
    return reindent(text);
  } catch {
    return text;
  }
}

function problemOf(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message;
  }
}

async function create(ctx) {
  await openDialog(
    "New key",
    (close) =>
      form({
        fields: [
          {
            name: "key",
            label: "Key",
            required: true,
            mono: true,
            wide: true,
            placeholder: "Truck-Wash/frontend-task",
            autofocus: true,
          },
          { name: "type", label: "Content type", value: "application/json" },
          { name: "value", label: "Value", type: "textarea", required: true, mono: true, rows: 10 },
        ],
        submit: "Create",
        cancel: () => close(),
        onsubmit: async ({ key, type, value }) => {
          await call("PUT", `/api/state/${pathOf(key)}`, {
            body: value,
            headers: { "If-None-Match": "*", "Content-Type": type || "application/json" },
          });
          close();
          toast(`${key} is there.`);
          ctx.go(`/state/${pathOf(key)}`);
        },
      }),
    { wide: true },
  );
}
