// What an agent has in hand: tasks that it has claimed or that only it may claim, paths that it has leased, unread messages.

import { get, pathOf } from "../../api.js";
import { projectOf } from "../../addresses.js";
import { badge, flushPanel, left } from "../../components/basics.js";
import { taskLink, taskStatus } from "../../components/task-bits.js";
import { h, replace } from "../../dom.js";
import { plural } from "../../format.js";

/** The panel: its element, and `load(agent, signal)`. It is hidden while there is nothing. */
export function holdings() {
  const body = h("div");
  const links = h("span.dots.small");
  const element = flushPanel("In hand", links, body);
  element.hidden = true;

  async function load({ id, name, workspace }, signal) {
    const project = projectOf(workspace);
    if (!project) return;
    const encoded = encodeURIComponent(project);
    const tasks = (query) => get(`/api/tasks/${encoded}`, { query, signal });
    const [claimed, assigned, leases, unread] = await Promise.all([
      tasks({ status: "claimed", claimed_by: name }),
      tasks({ status: "open", assignee: name }),
      get(`/api/leases/${encoded}`, { query: { name }, signal }),
      get("/api/messages", { query: { agent: `${project}/${name}`, unread: 1 }, signal }).catch(() => []),
    ]);
    const mine = claimed.filter(({ claim }) => claim?.instance_id === id);
    const held = leases.filter((lease) => lease.instance_id === id);
    element.hidden = mine.length + assigned.length + held.length + unread.length === 0;
    const inbox = `/messages/${encoded}/${pathOf(name)}`;
    replace(
      links,
      h("a", { href: `/tasks/${encoded}?agent=${encodeURIComponent(name)}` }, "Board"),
      h("a", { href: `/leases/${encoded}` }, "Leases"),
      h("a", { href: inbox }, "Inbox"),
    );
    replace(
      body,
      h(
        "ul.task-rows.holdings",
        unread.length > 0 &&
          h(
            "li",
            badge(
              unread.some(({ urgent }) => urgent) ? "urgent" : "unread",
              unread.some(({ urgent }) => urgent) ? "bad" : "accent",
            ),
            h("a", { href: inbox }, plural(unread.length, "unread message")),
          ),
        mine.map((task) =>
          h("li", taskStatus(task), taskLink(task), h("span.push.small.faint", left(task.claim.expires_at))),
        ),
        assigned.map((task) => h("li", taskStatus(task), taskLink(task))),
        held.flatMap((lease) =>
          lease.paths.map((path) =>
            h(
              "li",
              badge(lease.mode === "shared" ? "shared" : "leased"),
              h("span.mono.clip.data", path),
              h("span.push.small.faint", left(lease.expires_at)),
            ),
          ),
        ),
      ),
    );
  }
  return { element, load };
}
