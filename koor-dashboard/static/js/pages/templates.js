// Templates: rules and contracts packed up, to be applied to other projects.

import { del, get, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { count, plural } from "../format.js";
import { throttle } from "../timing.js";
import { ago, badge, button, empty, failure, pageHead, segments, select } from "../components/basics.js";
import { confirm } from "../components/dialog.js";
import { icon } from "../components/icons.js";
import { jsonTree } from "../components/json-view.js";
import { attempt, toast } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";
import { contentsOf, contentsView, inWords } from "./templates/contents.js";
import { applyTemplate, captureTemplate, editTemplate } from "./templates/forms.js";

const TOPICS = ["$template.*", "$backup.restored"];
const LINE = 54;
const KINDS = [
  ["", "All"],
  ["rules", "Rules"],
  ["contracts", "Contracts"],
  ["bundle", "Bundles"],
];

// Where there is room for both, the first one is shown beside the list.
const isWide = () => matchMedia("(min-width: 60.01rem)").matches;
const hrefOf = (id, query) => withQuery(`/templates/${encodeURIComponent(id)}`, Object.fromEntries(query));

export async function open(ctx) {
  let templates = [];
  const lead = h("span");
  const tools = h(".toolbar.list-search");
  const nothing = h("div");
  const side = h(".panel.to");
  const list = virtualList({
    label: "Templates",
    height: LINE,
    draw: line,
    key: ({ id }) => id,
    onpick: ({ id }) => ctx.go(hrefOf(id, ctx.query)),
    isChosen: ({ id }) => id === ctx.rest,
  });
  list.classList.add("spec-list");
  const split = h(".split", h(".panel.from", tools, list, nothing), side);
  ctx.root.append(
    pageHead(
      "Templates",
      lead,
      button("Capture a project", capture, { icon: "copy" }),
      button("Create", create, { icon: "plus", tone: "primary" }),
    ),
    split,
  );

  const projects = async () => (await get("/api/specs")).projects.map(({ project }) => project);

  async function capture() {
    const made = await captureTemplate(await projects());
    if (!made) return;
    toast(`${made.name} holds ${inWords(contentsOf(made))}.`);
    ctx.go(hrefOf(made.id, []));
  }

  async function create() {
    const made = await editTemplate(null);
    if (!made) return;
    toast(`${made.name} is created.`);
    ctx.go(hrefOf(made.id, []));
  }

  async function edit(template) {
    const made = await editTemplate(template);
    if (made) toast(`${made.name} is saved as version ${made.version}.`);
  }

  async function apply(template) {
    const project = await applyTemplate(template, await projects());
    if (project) toast(`${project} has ${inWords(contentsOf(template))} of ${template.name} now.`);
  }

  async function remove({ id, name }) {
    const sure = await confirm(
      `Delete ${name}?`,
      "Projects that it was applied to stay as they are. The template can’t be restored.",
      "Delete",
    );
    if (!sure || !(await attempt(() => del(`/api/templates/${encodeURIComponent(id)}`), `${name} is deleted.`))) return;
    templates = templates.filter((one) => one.id !== id);
    ctx.go(withQuery("/templates", Object.fromEntries(ctx.query)));
  }

  async function load() {
    templates = await get("/api/templates", { signal: ctx.signal });
    paintList();
  }

  function paintList() {
    const [kind, tag] = [ctx.query.get("kind") ?? "", ctx.query.get("tag") ?? ""];
    const tags = [...new Set(templates.flatMap((one) => one.tags))].sort();
    replace(lead, templates.length ? plural(templates.length, "template") : "");
    const held = tools.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    replace(
      tools,
      segments("Kind", KINDS, kind, (value) => filter("kind", value)),
      tags.length > 0 &&
        select("Tag", [["", "All tags"], ...tags.map((name) => [name, name])], tag, (value) => filter("tag", value)),
    );
    if (held) tools.querySelector(`[aria-label="${held}"]`)?.focus();
    const found = templates.filter((one) => (!kind || one.kind === kind) && (!tag || one.tags.includes(tag)));
    list.hidden = !found.length;
    replace(
      nothing,
      !found.length &&
        (templates.length
          ? empty("filter", "No template matches")
          : empty(
              "templates",
              "No templates yet",
              "Capture a project and apply it to the next one: here, or with ",
              h("code", "koor templates capture"),
              ".",
            )),
    );
    list.style.setProperty("height", `min(calc(100dvh - 12rem), ${Math.max(found.length, 1) * LINE}px)`);
    list.show(found);
    list.redraw();
  }

  function filter(name, value) {
    const path = ctx.rest ? `/templates/${encodeURIComponent(ctx.rest)}` : "/templates";
    ctx.go(withQuery(path, { ...Object.fromEntries(ctx.query), [name]: value }), { replace: true });
  }

  let turn = 0;
  async function paintSide() {
    const mine = (turn += 1);
    const id = ctx.rest;
    split.classList.toggle("picked", Boolean(id));
    if (!id && templates.length && isWide()) {
      ctx.go(hrefOf(templates[0].id, ctx.query), { replace: true });
      return;
    }
    if (!id) {
      ctx.title("Templates");
      replace(
        side,
        empty("templates", "Select a template", "A template copies the rules and contracts of one project to another."),
      );
      return;
    }
    if (!templates.some((one) => one.id === id)) {
      replace(
        side,
        empty(
          "templates",
          "This template is not there",
          "It was deleted, or never existed. ",
          h("a", { href: "/templates" }, "Back to all templates"),
        ),
      );
      return;
    }
    try {
      const template = await get(`/api/templates/${encodeURIComponent(id)}`, { signal: ctx.signal });
      if (turn !== mine) return;
      ctx.title(`${template.name} · Templates`);
      replace(side, templateView(template));
    } catch (error) {
      if (error.name === "AbortError" || turn !== mine) return;
      replace(
        side,
        h(
          ".padded.stack",
          h("a", { href: "/templates" }, "Back to all templates"),
          failure(error, error.status === 404 ? null : paintSide),
        ),
      );
      if (error.name !== "ApiError") throw error;
    }
  }

  function templateView(template) {
    const contents = contentsOf(template);
    return [
      h(
        "header",
        h(
          "a.button.quiet.icon.little.only-narrow",
          {
            href: withQuery("/templates", Object.fromEntries(ctx.query)),
            "aria-label": "Back to all templates",
            title: "Back to all templates",
          },
          icon("back"),
        ),
        h("h2.data", template.name),
        badge(template.kind, "accent"),
        h(
          "span.push",
          button("Apply", () => apply(template), { icon: "check", little: true, tone: "primary" }),
          button("Edit", () => edit(template), { icon: "edit", little: true }),
          button("Delete", () => remove(template), { icon: "trash", little: true, tone: "danger" }),
        ),
      ),
      h(
        ".body.stack",
        template.description && h("p.data", template.description),
        h(
          "dl.facts",
          h("dt", "Id"),
          h("dd.data", template.id),
          h("dt", "Brings"),
          h("dd", inWords(contents)),
          template.tags.length > 0 && [
            h("dt", "Tags"),
            h(
              "dd",
              h(
                ".row.wrap",
                template.tags.map((tag) => h("span.tag", tag)),
              ),
            ),
          ],
          h("dt", "Version"),
          h("dd.num", count(template.version)),
          h("dt", "Changed"),
          h("dd", ago(template.updated_at, " ago")),
        ),
      ),
      contentsView(contents),
      h("details.schema", h("summary.small.soft", "The data itself"), jsonTree(template.data, "The template’s data")),
    ];
  }

  const refresh = async () => {
    await load();
    await paintSide();
  };
  ctx.on(
    TOPICS,
    throttle(
      () =>
        refresh().catch((error) => {
          if (error.name === "ApiError") toast(error.message, "bad");
          else if (error.name !== "AbortError") throw error;
        }),
      500,
    ),
  );
  await refresh();
  return {
    refresh,
    update: async () => {
      paintList();
      await paintSide();
    },
  };
}

function line({ name, description, kind, version, tags }) {
  return [
    h(
      ".grow.two",
      h(".row", h("span.clip.data.strong", name)),
      h(".row.small", h("span.clip.data.faint", description || tags.join(", ") || "no description")),
    ),
    h("span.row.marks", h("span.badge.accent", kind), h("span.faint.num.small", `v${version}`)),
  ];
}
