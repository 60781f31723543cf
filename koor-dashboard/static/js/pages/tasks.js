// Tasks: the board of a project, and the page of one task.

import { get } from "../api.js";
import { board } from "./tasks/board.js";
import { detail } from "./tasks/detail.js";

export async function open(ctx) {
  let shown = null;
  const update = async () => {
    const [project, number] = place(ctx.rest);
    if (shown?.project === project && shown.update && !number) return shown.update(ctx);
    shown?.abort.abort();
    const next = number ? detail(ctx, { project, number }) : board(ctx, project);
    shown = next;
    ctx.root.replaceChildren();
    await next.open();
  };
  ctx.on(["*", "$*"], (events) => shown?.arrive(events));
  ctx.signal.addEventListener("abort", () => shown?.abort.abort());
  await update();
  return { update, refresh: () => shown.refresh() };
}

/** The project and the number that an address names. */
function place(rest) {
  const found = /^(.*)\/(\d+)\/?$/.exec(rest);
  return found ? [found[1], Number(found[2])] : [rest.replace(/\/$/, ""), 0];
}

/** The projects that have tasks, those with the most unfinished ones first. */
export async function taskProjects(signal) {
  const { projects } = await get("/api/tasks", { signal });
  const unfinished = ({ open: o, claimed, review }) => o + claimed + review;
  return projects.sort((a, b) => unfinished(b) - unfinished(a) || (a.project < b.project ? -1 : 1));
}
