// What a visitor can do with a task: the same on the board, on its page and on the overview.

import { call, patch, post } from "../api.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { lacks } from "../tasks.js";
import { button, face } from "./basics.js";
import { confirm, openDialog } from "./dialog.js";
import { form } from "./form.js";
import { attempt, toast } from "./toast.js";

/** The path of a task in the API. */
export function taskPath({ project, number }) {
  return `/api/tasks/${encodeURIComponent(project)}/${number}`;
}

/** Assigns a task, or takes the assignee away (`name` is null). Another holder loses its claim, so that asks first. */
export async function assign(task, name) {
  const { claim, number } = task;
  if (name === task.assignee && (!claim || claim.name === name)) return false;
  if (claim && claim.name !== name) {
    const text = `${claim.name} is working on task ${number} and loses its claim. Its notes stay.`;
    if (!(await confirm("Take this task away?", text, name ? `Assign to ${name}` : "Take it away"))) return false;
  }
  return attempt(
    () => patch(taskPath(task), { assignee: name }),
    name ? `Task ${number} is assigned to ${name}.` : `Any agent can claim task ${number} now.`,
  );
}

/** Asks to which of the agents a task goes. */
export async function chooseAgent(task, agents, held) {
  const chosen = await openDialog(`Assign task ${task.number}`, (close) =>
    h(
      ".stack",
      h("p.soft.data", task.title),
      agents.length === 0 && h("p.soft", "No agent of this project is registered yet."),
      h(
        "ul.choices",
        agents.map((agent) => {
          const missing = lacks(task, agent);
          const here = task.assignee === agent.name;
          return h(
            "li",
            h(
              "button.choice",
              {
                type: "button",
                onclick: () => close({ name: agent.name }),
                "aria-pressed": String(here),
                autofocus: here,
              },
              face(agent.name),
              h(
                "span.grow",
                h("span.strong.data", agent.name),
                h(
                  "span.small.faint.clip",
                  [missing.length ? `lacks ${missing.join(", ")}` : agent.stack, agent.status === "stale" && "stale"]
                    .filter(Boolean)
                    .join(", ") || agent.status,
                ),
              ),
              h("span.small.faint", plural(held.get(agent.name) ?? 0, "task")),
            ),
          );
        }),
      ),
      h(
        ".form-foot",
        task.assignee && button("Any agent", () => close({ name: null })),
        button("Cancel", () => close()),
      ),
    ),
  );
  return chosen ? assign(task, chosen.name) : false;
}

/** Accepts what was done. */
export function approve(task) {
  return attempt(() => post(`${taskPath(task)}/approve`), `Task ${task.number} is done.`);
}

/** Sends what was done back to the agent, and says why. */
export function reject(task) {
  return ask(`Send task ${task.number} back`, task.title, {
    label: "What is missing",
    submit: "Send back",
    required: true,
    work: (note) => post(`${taskPath(task)}/reject`, { note }),
    done: `Task ${task.number} is open again.`,
  });
}

/** Gives a task up. */
export function cancel(task) {
  const holder = task.claim ? ` ${task.claim.name} loses its claim.` : "";
  return ask(`Cancel task ${task.number}`, `${task.title}.${holder}`, {
    label: "Reason",
    submit: "Cancel the task",
    tone: "primary danger",
    work: (reason) => post(`${taskPath(task)}/cancel`, reason ? { reason } : {}),
    done: `Task ${task.number} is cancelled.`,
  });
}

/** Opens an ended task again. */
export function reopen(task) {
  return attempt(() => post(`${taskPath(task)}/reopen`), `Task ${task.number} is open again.`);
}

async function ask(title, about, { label, submit, work, done, required = false, tone = "primary" }) {
  return openDialog(title, (close) =>
    form({
      children: h("p.soft.data", about),
      fields: [{ name: "text", label, type: "textarea", rows: 3, required, autofocus: true }],
      submit,
      tone,
      cancel: () => close(),
      onsubmit: async ({ text }) => {
        await work(text.trim());
        close(true);
        toast(done);
      },
    }),
  );
}

const numbersOf = (list) => list.map((text) => Number(text.replace(/^#/, "")));
const areNumbers = (list) =>
  numbersOf(list).every((number) => Number.isSafeInteger(number) && number > 0)
    ? undefined
    : "Numbers of tasks, such as 3, 7.";

function fields(task) {
  return [
    { name: "title", label: "Title", required: true, wide: true, autofocus: true, value: task.title },
    { name: "body", label: "What is to be done, and when it is done", type: "textarea", rows: 6, value: task.body },
    {
      name: "priority",
      label: "Priority",
      type: "select",
      options: [0, 1, 2, 3, 4].map((value) => [
        String(value),
        `${value}${["  first", "", "  usual", "", "  last"][value]}`,
      ]),
      value: String(task.priority ?? 2),
    },
    { name: "labels", label: "Labels", list: true, placeholder: "ui, api", value: task.labels?.join(", ") },
    { name: "needs", label: "Needs (capabilities)", list: true, placeholder: "sql", value: task.needs?.join(", ") },
    {
      name: "after",
      label: "After (numbers)",
      list: true,
      check: areNumbers,
      placeholder: "3, 7",
      value: task.after?.join(", "),
    },
    { name: "parent", label: "Part of (number)", type: "number", min: 1, step: 1, value: task.parent ?? "" },
    { name: "assignee", label: "Only for (agent)", value: task.assignee ?? "" },
    { name: "review", label: "Another agent, or you, reviews what was done", type: "checkbox", value: task.review },
  ];
}

function body({ assignee, parent, priority, after, ...rest }) {
  return {
    ...rest,
    priority: Number(priority),
    after: numbersOf(after),
    parent: parent ?? null,
    assignee: assignee || null,
  };
}

/** Makes a task; gives it back. Without a project the form asks for one. */
export function create(project) {
  return openDialog("New task", (close) =>
    form({
      fields: [!project && { name: "project", label: "Project", required: true, wide: true }, ...fields({})].filter(
        Boolean,
      ),
      submit: "Create",
      cancel: () => close(),
      onsubmit: async ({ project: named = project, ...values }) => {
        const task = await post(`/api/tasks/${encodeURIComponent(named)}`, body(values));
        close(task);
        toast(`Task ${task.number} is there.`);
      },
    }),
  );
}

/** Edits a task, if it is still the one that is shown. */
export function edit(task) {
  return openDialog(`Edit task ${task.number}`, (close) =>
    form({
      fields: fields(task),
      submit: "Save",
      cancel: () => close(),
      onsubmit: async (values) => {
        const answer = await call("PATCH", taskPath(task), { json: body(values), query: { if_version: task.version } });
        close(await answer.json());
        toast(`Task ${task.number} is changed.`);
      },
    }),
  );
}
