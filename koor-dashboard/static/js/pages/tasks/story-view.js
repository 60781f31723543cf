// The story of a task as a list, and its claims as bars.

import { ago, badge, empty, face, flushPanel } from "../../components/basics.js";
import { h } from "../../dom.js";
import { hue, moment, span } from "../../format.js";

/** How each kind of entry is told, after the name of the agent that did it; its tone. */
const TOLD = {
  created: ["created the task", ""],
  updated: ["changed the task", ""],
  ready: ["It is ready: agents can claim it", "accent"],
  claimed: ["claimed it", "accent"],
  released: ["gave it back", ""],
  retried: ["failed; the next attempt follows", "warn"],
  expired: ["The claim expired", "warn"],
  review: ["finished it; it waits for a review", "warn"],
  approved: ["approved it", "good"],
  rejected: ["sent it back", "warn"],
  done: ["finished it", "good"],
  failed: ["It failed for good", "bad"],
  cancelled: ["cancelled it", ""],
  reopened: ["reopened it", ""],
  noted: ["wrote a note", ""],
};
// These happen by themselves, or by the server.
const BY_ITSELF = new Set(["ready", "expired", "failed"]);
const SERVER = "task-monitor";

/** The entries of a story, the oldest first. */
export function storyList(entries) {
  if (!entries.length) return empty("clock", "Nothing has happened yet");
  return h("ol.story", entries.map(entry));
}

function entry({ at, kind, who, fence, text }) {
  const [told, tone] = TOLD[kind] ?? [kind, ""];
  const named = !BY_ITSELF.has(kind) && who !== SERVER;
  return h(
    "li",
    { class: `${kind} ${tone}` },
    h("span.story-sign", named && who ? face(who, true) : h("span.dot", { class: tone })),
    h(
      ".story-told",
      h(
        "p",
        named && [h("span.strong.data", who || "An admin"), " "],
        told,
        kind === "claimed" && fence !== undefined && h("span.faint.small", ` fence ${fence}`),
        " ",
        h("span.faint.small.story-when", ago(at, " ago")),
      ),
      text && h("p.story-text.data", text),
    ),
  );
}

const OUTCOMES = {
  done: "good",
  review: "warn",
  released: "",
  retried: "warn",
  expired: "bad",
  failed: "bad",
  cancelled: "",
};

/** Who held the task when, on one line of time. */
export function claimBars(claims, now) {
  if (!claims.length) return null;
  const begin = Date.parse(claims[0].from);
  const last = claims.at(-1);
  const end = Math.max(last.to ? Date.parse(last.to) : now, begin + 1);
  const share = (time) => ((Date.parse(time) - begin) / (end - begin)) * 100;
  return flushPanel(
    "Claims",
    null,
    h(
      "ul.claims",
      claims.map(({ who, fence, from, to, outcome }) => {
        const until = to ?? new Date(end).toISOString();
        const bar = h("i", { class: `hue-${hue(who)}` });
        bar.style.setProperty("margin-inline-start", `${Math.min(share(from), 98)}%`);
        bar.style.setProperty("width", `${Math.max(share(until) - share(from), 2)}%`);
        return h(
          "li",
          { title: `${moment(from)} – ${to ? moment(to) : "now"}` },
          h(
            ".row",
            face(who, true),
            h("span.clip.data", who),
            h("span.faint.small", `fence ${fence}`),
            h("span.push.small.faint.num", span(Date.parse(until) - Date.parse(from))),
            to ? badge(outcome || "ended", OUTCOMES[outcome] ?? "") : badge("now", "accent"),
          ),
          h(".claim-bar", { "aria-hidden": "true" }, bar),
        );
      }),
    ),
  );
}
