// Agents by name: records speak of them by their ids.

import { get } from "./api.js";
import { shortId } from "./format.js";
import { h } from "./dom.js";
import { face } from "./components/basics.js";

/** A function that gives the name of an agent by its id; the id itself, shortened, where no agent has it. */
export async function agentNames(options) {
  const agents = await get("/api/instances", options);
  const names = new Map(agents.map(({ id, name }) => [id, name]));
  return (id) => names.get(id) ?? shortId(id);
}

/** An agent in a line of text, leading to its page. */
export function agentLink(id, nameOf) {
  return h(
    "a.row.agent-link",
    { href: `/agents/${encodeURIComponent(id)}` },
    face(nameOf(id), true),
    h("span.clip.data", nameOf(id)),
  );
}
