// How a task is shown wherever one is: its number, its status, who holds it, what it waits for.

import { h } from "../dom.js";
import { stateOf } from "../tasks.js";
import { badge, clip, face, left, status } from "./basics.js";

/** The address of a task's page. */
export function taskHref({ project, number }) {
  return `/tasks/${encodeURIComponent(project)}/${number}`;
}

/** A task in a line of text: its number and title, leading to its page. */
export function taskLink(task, title = task.title) {
  return h(
    "a.task-link.clip.data",
    { href: taskHref(task), title: `${task.project}/${task.number} ${title}` },
    h("span.task-number", `#${task.number}`),
    " ",
    title,
  );
}

/** The status of a task; of an open one, whether it is ready. */
export function taskStatus(task) {
  return status(stateOf(task));
}

/** The priority of a task, if it is not the usual one. */
export function priority({ priority: value }) {
  return value !== 2 && badge(`P${value}`, ["bad", "warn"][value] ?? "");
}

/** An agent by its name. `word` says what it is to the task. */
export function person(name, word = "") {
  return h("span.row.person", { title: word ? `${word} ${name}` : name }, face(name, true), clip(name));
}

/** Who holds a task, and for how long. */
export function claimLine({ claim }) {
  return h("span.row.claim-line", person(claim.name, "claimed by"), h("span.push.small.faint", left(claim.expires_at)));
}

/** The numbers of other tasks as links, each with a sign of whether it is done. `of(number)` gives a task that is known. */
export function numbers(project, list, of) {
  return list.map((number) => {
    const task = of(number);
    const word = task ? stateOf(task) : "";
    return h(
      "a.task-ref",
      {
        class: word === "done" ? "met" : "",
        href: taskHref({ project, number }),
        title: task ? `${task.title}: ${word}` : `${project}/${number}`,
      },
      `${number}`,
      word === "done" && [h("span", { "aria-hidden": "true" }, "✓"), h("span.unseen", " done")],
    );
  });
}
