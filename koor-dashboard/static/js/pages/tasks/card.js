// A task as a card of the board.

import { button, left } from "../../components/basics.js";
import { approve, reject } from "../../components/task-actions.js";
import { numbers, person, priority, taskHref } from "../../components/task-bits.js";
import { h } from "../../dom.js";
import { span } from "../../format.js";
import { serverNow } from "../../api.js";
import { stateOf } from "../../tasks.js";

/** The heading of a part of a column. */
export function cardHead({ head, n }) {
  return h("li.card-head", h("span", head), h("span.num", String(n)));
}

/** Draws a card. `acts.assign(task)` asks which agent gets it, `acts.drag(task)` says which card is being dragged, null for none. */
export function card({ task, of, soon, stale }, acts) {
  const { number, title, labels, status } = task;
  const open = status === "open" || status === "claimed";
  const made = h(
    "li.task-card",
    { class: stateOf(task), "data-number": number, draggable: open ? "true" : null },
    h(
      ".row.card-top",
      h("span.task-number", `#${number}`),
      priority(task),
      labels.slice(0, 3).map((label) => h("span.tag.clip", label)),
      labels.length > 3 && h("span.faint.small", `+${labels.length - 3}`),
      h(".push.row.card-acts", actions(task, acts)),
    ),
    h("a.name.data", { href: taskHref(task), "data-part": "name", "aria-describedby": `about-${number}` }, title),
    h(".card-about", { id: `about-${number}` }, about(task, of, soon, stale)),
  );
  if (open) {
    made.addEventListener("dragstart", (event) => {
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", `${task.project}/${number}`);
      made.classList.add("dragged");
      acts.drag(task);
    });
    made.addEventListener("dragend", () => {
      made.classList.remove("dragged");
      // After the drop has been dealt with, which needs to know the task.
      setTimeout(() => acts.drag(null));
    });
  }
  return made;
}

function actions(task, acts) {
  if (task.status !== "open" && task.status !== "claimed") return null;
  return button("", () => acts.assign(task), {
    icon: "assign",
    tone: "quiet",
    little: true,
    label: `Assign task ${task.number}`,
    "data-part": "assign",
  });
}

/** What has to be known of a task in its column. */
function about(task, of, soon, stale) {
  const {
    status,
    claim,
    assignee,
    blocked_by: blockers,
    not_before: pause,
    after,
    reason,
    attempts,
    max_attempts: most,
    project,
  } = task;
  const tried =
    attempts > 0 &&
    status !== "done" &&
    h("span.small.faint", `attempt ${Math.min(attempts + (status === "failed" ? 0 : 1), most)} of ${most}`);
  if (status === "claimed") {
    return [
      h(
        ".row.wrap.spread.card-claim",
        person(claim.name, "claimed by"),
        h("span.small", { class: soon || stale ? "alarm" : "faint" }, stale && "stale, ", left(claim.expires_at)),
      ),
      tried,
    ];
  }
  if (status === "review") {
    return h(
      ".row.card-decide",
      button("Approve", () => approve(task), {
        tone: "good",
        little: true,
        icon: "check",
        "data-part": "approve",
        "aria-label": `Approve task ${task.number}`,
      }),
      button("Send back", () => reject(task), {
        tone: "danger",
        little: true,
        "data-part": "reject",
        "aria-label": `Send back task ${task.number}`,
      }),
    );
  }
  const waitsFor =
    blockers.length > 0 &&
    h(
      ".row.wrap.refs",
      h("span.small.faint", "waits for"),
      numbers(project, blockers.slice(0, 6), of),
      blockers.length > 6 && h("span.small.faint", `+${blockers.length - 6}`),
    );
  const met =
    blockers.length === 0 &&
    after.length > 0 &&
    status === "open" &&
    h(".row.wrap.refs", h("span.small.faint", "after"), numbers(project, after.slice(0, 6), of));
  return [
    assignee && status === "open" && h(".row", h("span.small.faint", "for"), person(assignee, "assigned to")),
    waitsFor || met,
    pause && stateOf(task) === "paused" && h("span.small.faint", `starts in ${span(Date.parse(pause) - serverNow())}`),
    (status === "failed" || status === "cancelled") && reason && h("span.small.data.reason", reason),
    tried,
  ];
}
