// The agents of a project above its board: a card that is dropped on one is assigned to it.

import { face } from "../../components/basics.js";
import { h, keyed } from "../../dom.js";

/** The strip: its element, and `show(agents, held)`. `drop(name)` is called for the card that is dropped; null is any agent. */
export function agentStrip({ drop }) {
  const list = h("ul.agent-strip", { "aria-label": "Agents: drop a task on one to assign it" });
  const draw = keyed(
    list,
    ({ name }) => name ?? "",
    (item) => target(item, drop),
  );
  let known = new Map();

  function show(agents, held) {
    const next = new Map();
    const items = [...agents, null].map((agent) => {
      const name = agent?.name ?? null;
      const look = JSON.stringify([name, agent?.status, held.get(name)]);
      const before = known.get(name);
      const item =
        before?.look === look ? before : { name, look, status: agent?.status ?? "", tasks: held.get(name) ?? 0 };
      next.set(name, item);
      return item;
    });
    known = next;
    draw(items);
  }
  return { element: list, show };
}

function target({ name, status, tasks }, drop) {
  const element = h(
    "li.agent-target",
    {
      class: `${status} ${name === null ? "anyone" : ""}`,
      title: name === null ? "Drop a task here: any agent can claim it" : `Drop a task here to assign it to ${name}`,
    },
    name === null ? h("span.face.little", { "aria-hidden": "true" }, "*") : face(name, true),
    h("span.clip.data", name ?? "any agent"),
    tasks > 0 && h("span.num.small.faint", String(tasks), h("span.unseen", " claimed")),
  );
  const over = (on) => element.classList.toggle("over", on);
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    over(true);
  });
  element.addEventListener("dragleave", () => over(false));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    drop(name);
  });
  return element;
}
