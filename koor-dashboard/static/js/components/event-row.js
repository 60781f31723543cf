// One line of the event log, as it looks in every list.

import { isAgent, nameOf } from "../agents.js";
import { h } from "../dom.js";
import { clock } from "../format.js";
import { clip, face } from "./basics.js";
import { brief } from "./json-view.js";

// Values longer than this are not kept in a list: they are read from the server when one is opened.
const MOST_KEPT = 16_000;

/** An event as lists keep it: with its line of text, and without its data where that is large. */
export function kept(event) {
  const { id, topic, source, created_at, size = 0 } = event;
  const text = size > MOST_KEPT ? `(${size} characters)` : brief(event.data);
  return size > MOST_KEPT
    ? { id, topic, source, created_at, text, left: true }
    : { id, topic, source, created_at, text, data: event.data };
}

/** The parts of a line: when, what, who, and the beginning of its data. `project` is left out of the topic's beginning. */
export function eventLine({ topic, source, created_at, text }, project = "") {
  const who = nameOf(source);
  const shown = typeof project === "string" && topic.startsWith(project) ? topic.slice(project.length) : topic;
  return [
    h("time.when.num.faint", { datetime: created_at }, clock(created_at)),
    h("span.topic.clip.data", { class: topic.startsWith("$") ? "system" : "", title: topic }, shown),
    h("span.who.row", source && face(who, true), clip(who)),
    h("span.what.clip.data.mono.faint", text === "null" ? "" : text),
  ];
}

/** The way to the agent behind a name or an id, where there is one. */
export function agentLink(actor) {
  return isAgent(actor)
    ? h("a.data", { href: `/agents/${encodeURIComponent(actor)}` }, nameOf(actor))
    : h("span.data", actor || "local");
}

/** How high a line is: on a phone it has two rows. */
export function lineHeight() {
  return matchMedia("(max-width: 48rem)").matches ? 50 : 32;
}
