// Leases: which paths of a project are taken, by which agent, and for how long, as a tree.

import { del, get, withQuery } from "../api.js";
import { badge, button, empty, face, flushPanel, left, pageHead, search, select } from "../components/basics.js";
import { confirm } from "../components/dialog.js";
import { attempt } from "../components/toast.js";
import { virtualList } from "../components/virtual.js";
import { h, replace, setText } from "../dom.js";
import { moment, plural } from "../format.js";
import { leaseRows } from "../lease-tree.js";
import { debounce, throttle } from "../timing.js";
import { taskProjects } from "./tasks.js";

const REFRESH = 500;
// Leases are renewed without an event, so the time that is left of them is read again this often while some are shown.
const RENEWED = 60_000;

export async function open(ctx) {
  const { root, signal } = ctx;
  let project = ctx.rest.replace(/\/$/, "");
  let path = ctx.query.get("path") ?? "";
  let projects = [];
  let leases = [];
  let instances = new Map();
  const folded = new Set();
  const tally = h("span.lead.num");
  const choice = h("span.row");
  const wrong = h("span.wrong.small", { role: "alert" });
  const said = h("p.small.soft.lease-said");
  const none = h("div");
  const phone = matchMedia("(max-width: 48rem)");
  const list = virtualList({
    label: "Leased paths",
    role: "tree",
    lineRole: "treeitem",
    height: phone.matches ? 56 : 36,
    key: ({ id }) => id,
    draw: line,
    describe: ({ depth, open: opened, lease }) => ({
      "aria-level": depth + 1,
      "aria-expanded": lease ? null : String(opened),
    }),
    onpick: (row) => (row.lease ? null : toggle(row)),
    onkey: ({ key }, row) => {
      if (row.lease) return key === "Delete" && Boolean(end(row.lease));
      if (!((key === "ArrowRight" && !row.open) || (key === "ArrowLeft" && row.open))) return false;
      toggle(row);
      return true;
    },
  });
  list.classList.add("lease-tree");

  function line(row) {
    const indent = h("span.indent");
    indent.style.setProperty("width", `${row.depth * 16}px`);
    if (!row.lease) {
      const inside = plural(row.inside, "lease");
      return [
        indent,
        h("span.twist", { "aria-hidden": "true" }, row.open ? "▾" : "▸"),
        h("span.mono.clip.data", row.name),
        !row.open && h("span.inside.num.faint.small", inside),
      ];
    }
    const { id, mode, name, reason, task, expires_at: until, instance_id: holder, created_at: since } = row.lease;
    const stale = instances.get(holder)?.status === "stale";
    return [
      h(
        "span.lease-path",
        indent,
        h("span.leaf.mono.clip.data", { title: row.path }, phone.matches ? row.path : row.name),
      ),
      h(
        ".lease-about",
        mode === "shared" && badge("shared"),
        h(
          "a.row.agent-link",
          { href: `/agents/${encodeURIComponent(holder)}` },
          face(name, true),
          h("span.clip.data", name),
        ),
        stale && badge("stale", "warn"),
      ),
      h(
        "span.lease-reason.clip.data.small.soft",
        { title: reason },
        task && h("a", { href: `/tasks/${encodeURIComponent(project)}/${task}` }, `#${task}`),
        task && reason && " ",
        reason,
      ),
      h("span.lease-left.small.num", { title: `since ${moment(since)}` }, left(until)),
      button("", () => end(row.lease), {
        icon: "close",
        tone: "quiet",
        little: true,
        label: `End lease ${id} of ${name}`,
      }),
    ];
  }

  function toggle({ id }) {
    if (!folded.delete(id)) folded.add(id);
    paint();
  }

  async function end(lease) {
    const text = `${lease.name} holds ${lease.paths.join(", ")}. It is not told before its next call, so another agent may edit the same files at the same time.`;
    if (!(await confirm(`End lease ${lease.id}?`, text, "End the lease"))) return;
    await attempt(() => del(`/api/leases/${encodeURIComponent(project)}/${lease.id}`), `Lease ${lease.id} has ended.`);
  }

  async function load() {
    const [all, agents] = await Promise.all([taskProjects(signal), get("/api/instances", { signal })]);
    instances = new Map(agents.map((agent) => [agent.id, agent]));
    projects = all.map((one) => one.project);
    if (!project && projects.length) project = projects[0];
    wrong.textContent = "";
    try {
      leases = project ? await get(`/api/leases/${encodeURIComponent(project)}`, { query: { path }, signal }) : [];
    } catch (error) {
      if (error.status !== 400) throw error;
      setText(wrong, error.message);
      return;
    }
    paint();
  }

  function paint() {
    ctx.title(project ? `Leases of ${project}` : "Leases");
    const names = [...new Set([project, ...projects])].filter(Boolean);
    replace(
      choice,
      names.length > 0 &&
        select(
          "Project",
          names.map((name) => [name, name]),
          project,
          (name) => ctx.go(`/leases/${encodeURIComponent(name)}`),
        ),
    );
    const holders = new Set(leases.map(({ name }) => name)).size;
    setText(tally, leases.length ? `${plural(leases.length, "lease")} of ${plural(holders, "agent")}` : "");
    setText(said, path ? (leases.length ? `${plural(leases.length, "lease")} on ${path}` : `${path} is free.`) : "");
    said.hidden = !path;
    const all = leaseRows(leases, folded);
    // A phone has no room for folders: each path is shown in full.
    const rows = phone.matches ? all.filter(({ lease }) => lease) : all;
    list.hidden = rows.length === 0;
    list.style.setProperty("height", `${Math.min(rows.length * (phone.matches ? 56 : 36) + 2, 1600)}px`);
    list.show(rows);
    list.redraw();
    replace(
      none,
      rows.length === 0 &&
        (path
          ? empty("check", `${path} is free`, "No lease covers it.")
          : empty(
              "leases",
              "No path is leased",
              "An agent takes one before it edits, with ",
              h("code", "koor lease take <path>"),
              ".",
            )),
    );
  }

  root.append(
    pageHead("Leases", tally, choice),
    h(
      ".toolbar",
      search(
        "Who holds this path? src/auth/login.rs",
        path,
        debounce((text) => ctx.go(withQuery(location.pathname, { path: text.trim() }), { replace: true }), 250),
      ),
      wrong,
      said,
    ),
    flushPanel(null, null, none, list),
  );
  await load();
  const again = throttle(
    () =>
      load().catch((error) => {
        if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
      }),
    REFRESH,
  );
  const timer = setInterval(() => leases.length && again(), RENEWED);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    again.cancel();
  });
  ctx.on(["$lease.*", "$instance.*", "agent.stale"], again);
  return {
    update: async ({ rest, query }) => {
      project = rest.replace(/\/$/, "") || project;
      path = query.get("path") ?? "";
      await load();
    },
    refresh: load,
  };
}
