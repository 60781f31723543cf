// Specs and contracts: by project, with their versions, and contracts as tables that can be tried.

import { del, get, withQuery } from "../api.js";
import { h, replace } from "../dom.js";
import { count, plural } from "../format.js";
import { agentNames } from "../names.js";
import { debounce, throttle } from "../timing.js";
import { ago, badge, button, empty, failure, pageHead, search, tabs } from "../components/basics.js";
import { confirm } from "../components/dialog.js";
import { icon } from "../components/icons.js";
import { valueView } from "../components/json-view.js";
import { table } from "../components/table.js";
import { attempt, toast } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";
import { endpointsView } from "./specs/endpoints.js";
import { payloadView } from "./specs/payload.js";
import { isContract, pathOfSpec, readSpec } from "./specs/text.js";
import { versionsView } from "./specs/versions.js";
import { writeSpec } from "./specs/write.js";

const TOPICS = ["$spec.changed", "$rule.*", "$rules.changed", "$template.applied", "$backup.restored"];
const LINE = 36;
const MOST_ROWS = 500;

const href = (project, name = "") =>
  `/specs/${encodeURIComponent(project)}${name ? `/${encodeURIComponent(name)}` : ""}`;

export async function open(ctx) {
  let projects = [];
  let specs = [];
  let [project, name] = place();
  let text = "";
  const lead = h("span");
  const side = h(".panel.to");
  const list = virtualList({
    label: "Projects and their specs",
    height: LINE,
    draw: line,
    key: ({ project: of, spec }) => JSON.stringify([of, spec?.name]),
    onpick: (item) => ctx.go(item.spec ? href(item.project, item.spec.name) : href(item.project)),
    isChosen: (item) => item.project === project && (item.spec?.name ?? "") === name,
  });
  list.classList.add("spec-list");
  const find = search(
    "Search",
    "",
    debounce((value) => {
      text = value.toLowerCase();
      paintList();
    }, 120),
  );
  const split = h(".split", h(".panel.from", h(".list-search", find), list), side);
  ctx.root.append(
    pageHead(
      "Specs & contracts",
      lead,
      button("New", () => write(null), { icon: "plus", tone: "primary" }),
    ),
    split,
  );

  function place() {
    const [first = "", ...rest] = ctx.rest.split("/");
    return [first, rest.join("/")];
  }

  async function load() {
    const of = project;
    const [found, own] = await Promise.all([get("/api/specs", { signal: ctx.signal }), of && specsOf(of, ctx.signal)]);
    projects = found.projects;
    if (of === project) specs = own || [];
    paintList();
  }

  function paintList() {
    replace(lead, projects.length ? plural(projects.length, "project") : "");
    const known =
      !project || projects.some((one) => one.project === project)
        ? projects
        : [...projects, { project, specs: 0, rules: 0 }];
    const items = known.flatMap((one) => {
      const own =
        one.project === project
          ? specs.filter((spec) => `${one.project}/${spec.name}`.toLowerCase().includes(text))
          : [];
      return own.length || one.project.toLowerCase().includes(text)
        ? [one, ...own.map((spec) => ({ project: one.project, spec }))]
        : [];
    });
    list.style.setProperty("height", `min(calc(100dvh - 11rem), ${Math.max(items.length, 1) * LINE}px)`);
    list.show(items);
    list.redraw();
  }

  async function write(current) {
    const made = await writeSpec(current, { project, projects: projects.map((one) => one.project) });
    if (!made) return;
    toast(`${made.project}/${made.name} is saved as version ${made.version}.`);
    if (!current) ctx.go(href(made.project, made.name));
  }

  async function remove(current) {
    const named = `${current.project}/${current.name}`;
    const sure = await confirm(
      `Delete ${current.name}?`,
      `${named} is gone for everyone who reads it. Its versions stay, and any of them can be brought back.`,
      "Delete",
    );
    if (sure)
      await attempt(
        () =>
          del(`/api/specs/${pathOfSpec(current.project, current.name)}`, { query: { if_version: current.version } }),
        `${named} is deleted.`,
      );
  }

  let turn = 0;
  async function paintSide() {
    const mine = (turn += 1);
    split.classList.toggle("picked", Boolean(project));
    ctx.title(name ? `${name} · ${project}` : project || "Specs & contracts");
    if (!name) {
      replace(
        side,
        project
          ? projectView(
              project,
              specs,
              projects.find((one) => one.project === project),
            )
          : projectsView(projects),
      );
      return;
    }
    const path = `/api/specs/${pathOfSpec(project, name)}`;
    let shown;
    try {
      shown = await specView(path);
    } catch (error) {
      if (error.name === "AbortError" || turn !== mine) return;
      if (error.name !== "ApiError") throw error;
      const gone = error.status === 404;
      shown = [
        sideHead(name, href(project)),
        h(".padded", failure(error, gone ? null : paintSide)),
        gone && (await history(path).catch(() => null)),
      ];
    }
    if (turn === mine) replace(side, shown);
  }

  async function history(path) {
    const nameOf = await agentNames({ signal: ctx.signal });
    return versionsView({
      path,
      name: `${project}/${name}`,
      nameOf,
      signal: ctx.signal,
      a: Number(ctx.query.get("a")),
      b: Number(ctx.query.get("b")),
      choose: (a, b) => ctx.go(withQuery(href(project, name), { show: "versions", a, b }), { replace: true }),
    });
  }

  async function specView(path) {
    const current = { project, name, ...(await readSpec(path, { signal: ctx.signal })) };
    const contract = isContract(current.value) ? current.value : null;
    const parts = [
      ...(contract
        ? [
            ["endpoints", "Endpoints"],
            ["try", "Try a payload"],
          ]
        : []),
      ["content", "Content"],
      ["versions", "Versions"],
    ];
    const part = parts.find(([key]) => key === ctx.query.get("show"))?.[0] ?? parts[0][0];
    const about = specs.find((spec) => spec.name === name);
    const body = {
      endpoints: () => endpointsView(contract),
      try: () => payloadView(pathOfSpec(project, name), contract),
      content: () => valueView(current.buffer, "application/json", name),
      versions: () => history(path),
    };
    return [
      sideHead(
        name,
        href(project),
        contract && badge("contract", "accent"),
        h("span.faint.num.small", `version ${current.version}`),
        about && h("span.faint.small", ago(about.updated_at, " ago")),
        h(
          "span.push",
          button("Edit", () => write(current), { icon: "edit", little: true }),
          button("Delete", () => remove(current), { icon: "trash", little: true, tone: "danger" }),
        ),
      ),
      tabs(
        "Parts of this spec",
        parts.map(([key, label]) => [withQuery(href(project, name), { show: key }), label, key === part]),
      ),
      h(".spec-body", await body[part]()),
    ];
  }

  async function update() {
    const before = project;
    [project, name] = place();
    if (project !== before) specs = project ? await specsOf(project, ctx.signal) : [];
    paintList();
    await paintSide();
  }

  const refresh = async () => {
    await load();
    // A payload that is being tried stays: what is shown there stays as it was when it was opened.
    if (ctx.query.get("show") !== "try") await paintSide();
  };
  const reload = throttle(load, 500);
  const renew = throttle(refresh, 500);
  ctx.on(TOPICS, (events) => {
    const about = ({ topic, data }) =>
      topic === "$backup.restored" ||
      !name ||
      (topic === "$spec.changed" && data.project === project && data.name === name);
    if (events.some(about)) renew();
    else reload();
  });
  await load();
  await paintSide();
  return { update, refresh };
}

async function specsOf(project, signal) {
  const of = encodeURIComponent(project);
  const [all, found] = await Promise.all([
    get(`/api/specs/${of}`, { signal }),
    get(`/api/contracts/${of}`, { signal }),
  ]);
  const endpoints = new Map(found.contracts.map((one) => [one.name, one.endpoints]));
  return all.specs.map((spec) => ({ ...spec, endpoints: endpoints.get(spec.name) }));
}

function sideHead(title, back, ...more) {
  return h(
    "header",
    h("a.button.quiet.icon.little.only-narrow", { href: back, "aria-label": "Back", title: "Back" }, icon("back")),
    h("h2.data", title),
    more,
  );
}

function projectsView(projects) {
  if (!projects.length)
    return empty(
      "specs",
      "No specs yet",
      "A spec is JSON that the agents of a project agree on. One with endpoints is a contract, which payloads are checked against. Store one with ",
      h("code", "koor specs set <project>/<name> --data <json>"),
      ".",
    );
  return table({
    label: "Projects",
    key: ({ project }) => project,
    columns: [
      {
        label: "Project",
        sort: ({ project }) => project,
        render: ({ project }) => h("a.data.strong", { href: href(project) }, project),
      },
      { label: "Specs", end: true, fit: true, sort: (one) => one.specs, render: (one) => count(one.specs) },
      {
        label: "Rules",
        end: true,
        fit: true,
        sort: (one) => one.rules,
        render: ({ project, rules }) => h("a", { href: `/rules?project=${encodeURIComponent(project)}` }, count(rules)),
      },
    ],
  }).show(projects.slice(0, MOST_ROWS));
}

function projectView(project, specs, counts) {
  const made = table({
    label: `Specs of ${project}`,
    key: (spec) => spec.name,
    columns: [
      {
        label: "Name",
        render: (spec) => h("a.data.strong", { href: href(project, spec.name) }, spec.name),
        sort: (spec) => spec.name,
      },
      {
        label: "Kind",
        render: ({ endpoints }) =>
          endpoints === undefined
            ? h("span.faint", "spec")
            : h(".row", badge("contract", "accent"), h("span.faint.small", plural(endpoints, "endpoint"))),
        sort: ({ endpoints }) => endpoints ?? -1,
      },
      {
        label: "Version",
        render: ({ version }) => count(version),
        sort: ({ version }) => version,
        end: true,
        fit: true,
      },
      {
        label: "Changed",
        render: ({ updated_at }) => ago(updated_at, " ago"),
        sort: ({ updated_at }) => updated_at,
        fit: true,
      },
    ],
  }).show(specs.slice(0, MOST_ROWS));
  return [
    sideHead(
      project,
      "/specs",
      h(
        "span.push",
        h(
          "a.button.little",
          { href: `/rules?project=${encodeURIComponent(project)}` },
          plural(counts?.rules ?? 0, "rule"),
        ),
      ),
    ),
    specs.length ? made : empty("specs", "No specs in this project"),
    specs.length > MOST_ROWS &&
      h("p.padded.faint.small", `The first ${MOST_ROWS} of ${count(specs.length)}; the list beside this has them all.`),
  ];
}

function line(item) {
  if (item.spec)
    return [
      h("span.spec-indent"),
      h("span.clip.data.grow", item.spec.name),
      item.spec.endpoints !== undefined && h("span.badge.accent", "contract"),
      h("span.faint.num.small", `v${item.spec.version}`),
    ];
  return [icon("folder"), h("span.clip.data.strong.grow", item.project), h("span.faint.num.small", count(item.specs))];
}
