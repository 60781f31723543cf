// The story of a task, told from three sources: events, which may be pruned; the audit log, which is not; and notes.

/** What happened, by the action of an audit entry. Some depend on how the task came out of it. */
const ACTIONS = {
  "task.create": () => "created",
  "task.update": () => "updated",
  "task.claim": () => "claimed",
  "task.release": () => "released",
  "task.done": ({ status }) => (status === "review" ? "review" : "done"),
  // A failure that is tried again is published as a release.
  "task.fail": ({ status }) => (status === "failed" ? "failed" : "released"),
  "task.approve": () => "done",
  "task.reject": () => "rejected",
  "task.cancel": () => "cancelled",
  "task.reopen": () => "reopened",
  "task.note": () => "noted",
  "task.expire": ({ status }) => (status === "failed" ? "failed" : "expired"),
};

/** What ends a claim. */
const ENDS = new Set(["released", "retried", "expired", "review", "done", "failed", "cancelled"]);

/**
 * What happened to a task, the oldest first: `{ at, kind, who, fence, text }`. `events` are those of this task, `audit` its
 * entries, `notes` its notes. The same moment told by two of them is one entry; a note that came with a change belongs to it.
 */
export function storyOf({ events, audit, notes }) {
  const entries = new Map();
  const add = (entry) => {
    const key = `${entry.at} ${entry.kind}`;
    const before = entries.get(key);
    if (before) {
      before.who ||= entry.who;
      before.retried ||= entry.retried;
    } else entries.set(key, { text: "", order: entries.size, ...entry });
  };
  for (const { topic, data, source, created_at: at } of events) {
    add({ at, kind: topic.slice("$task.".length), who: data.name || source, fence: data.fence });
  }
  for (const { action, actor, detail, outcome, timestamp: at } of audit) {
    const kind = outcome === "success" && ACTIONS[action]?.(parse(detail));
    if (kind) add({ at, kind, who: actor, fence: parse(detail).fence, retried: action === "task.fail" });
  }
  const told = [...entries.values()];
  for (const { author, text, created_at: at } of notes) {
    const about = told.findLast((entry) => entry.at === at && entry.kind !== "ready" && !entry.text);
    if (about) {
      about.text = text;
      about.who ||= author;
    } else told.push({ at, kind: "noted", who: author, text, order: told.length });
  }
  told.sort((a, b) => (a.at === b.at ? a.order - b.order : a.at < b.at ? -1 : 1));
  let status = "";
  return told.map(({ at, kind, who, fence, text, retried }) => {
    const approved = kind === "done" && status === "review";
    const tried = kind === "released" && retried;
    if (kind !== "noted" && kind !== "updated" && kind !== "ready") status = kind;
    return { at, kind: approved ? "approved" : tried ? "retried" : kind, who: who || "", fence, text };
  });
}

function parse(detail) {
  try {
    return JSON.parse(detail) ?? {};
  } catch {
    return {};
  }
}

/** Who held a task, from when to when, and how it ended: `{ who, fence, from, to, outcome }`; `to` is null while it is held. */
export function claimsOf(story) {
  const claims = [];
  let open = null;
  for (const { at, kind, who, fence } of story) {
    if (kind === "claimed") {
      if (open) open.to = at;
      open = { who, fence, from: at, to: null, outcome: "" };
      claims.push(open);
    } else if (open && ENDS.has(kind)) {
      Object.assign(open, { to: at, outcome: kind });
      open = null;
    }
  }
  return claims;
}
