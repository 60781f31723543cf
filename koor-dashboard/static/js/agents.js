// Who is who: the server names instances by id, people by name.

import { get } from "./api.js";
import { onEvents, onGap } from "./live.js";
import { throttle } from "./timing.js";

const names = new Map();

/** Reads the names, and keeps them. */
export async function knowAgents() {
  const load = async () => {
    const instances = await get("/api/instances").catch(() => []);
    for (const { id, name } of instances) names.set(id, name);
  };
  onEvents(["$instance.registered"], (events) => {
    for (const { data } of events) names.set(data.instance_id, data.name);
  });
  onGap(throttle(load, 1000));
  await load();
}

/** The name of an instance, or what it was called by. */
export function nameOf(actor) {
  return names.get(actor) ?? actor;
}

/** Whether that is the id of an instance that is known. */
export function isAgent(actor) {
  return names.has(actor);
}
