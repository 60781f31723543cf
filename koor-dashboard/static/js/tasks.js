// What the board and the overview know about tasks: which column one is in, what it waits for, whose claim is about to end.

/** The columns of the board, in their order. */
export const COLUMNS = [
  { id: "open", label: "Open", statuses: ["open"] },
  { id: "claimed", label: "Claimed", statuses: ["claimed"] },
  { id: "review", label: "Review", statuses: ["review"] },
  { id: "done", label: "Done", statuses: ["done"] },
  { id: "ended", label: "Failed, cancelled", short: "Failed", statuses: ["failed", "cancelled"] },
];

// A claim is about to end when this little is left of it.
const SOON = 5 * 60_000;

/** What an open task waits for: "ready", "paused" (its time has not come), or "blocked"; the status of any other. */
export function stateOf({ status, ready, blocked_by: blockers }) {
  if (status !== "open") return status;
  if (ready) return "ready";
  return blockers.length ? "blocked" : "paused";
}

const OPEN = { ready: 0, paused: 1, blocked: 2 };
const ENDED = { failed: 0, cancelled: 1 };
const newest = (a, b) => (a.updated_at < b.updated_at ? 1 : -1);
const byNumber = (a, b) => a.number - b.number;

/** How tasks of a column are sorted: those that come next first, those that ended last first. */
const ORDER = {
  open: (a, b) => OPEN[stateOf(a)] - OPEN[stateOf(b)] || a.priority - b.priority || byNumber(a, b),
  claimed: byNumber,
  review: (a, b) => -newest(a, b),
  done: newest,
  ended: (a, b) => ENDED[a.status] - ENDED[b.status] || newest(a, b),
};

/** The tasks of each column, sorted, by the id of the column. */
export function columnsOf(tasks) {
  return new Map(
    COLUMNS.map(({ id, statuses }) => [id, tasks.filter(({ status }) => statuses.includes(status)).sort(ORDER[id])]),
  );
}

const HEADS = {
  ready: "Ready",
  paused: "Paused",
  blocked: "Waiting for others",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** The tasks of a column, which are sorted, in parts by what they wait for or how they ended: `{ head, tasks }`. Where all are alike, `head` is "". */
export function partsOf(tasks) {
  const parts = [];
  for (const task of tasks) {
    const head = HEADS[stateOf(task)] ?? "";
    if (parts.at(-1)?.head !== head) parts.push({ head, tasks: [] });
    parts.at(-1).tasks.push(task);
  }
  return parts.length === 1 ? [{ head: "", tasks }] : parts;
}

/** The numbers of the tasks that one waits for or waited for, and of those that wait for it. A part counts as what its whole waits for. */
export function related(tasks, number) {
  const own = tasks.find((task) => task.number === number);
  const parts = tasks.filter(({ parent }) => parent === number).map((task) => task.number);
  const before = new Set([...(own?.after ?? []), ...parts]);
  const next = new Set(tasks.filter(({ after }) => after.includes(number)).map((task) => task.number));
  if (own?.parent) next.add(own.parent);
  return { before, next };
}

/** Whether a task is one of those that are looked for. `agent` is an assignee, a holder, or "-" for neither. */
export function matches(task, { text = "", label = "", agent = "" }) {
  if (label && !task.labels.includes(label)) return false;
  const whose = [task.claim?.name, task.assignee].filter(Boolean);
  if (agent && !(agent === "-" ? whose.length === 0 : whose.includes(agent))) return false;
  const wanted = text.trim().toLowerCase();
  return (
    !wanted ||
    String(task.number) === wanted.replace(/^#/, "") ||
    task.title.toLowerCase().includes(wanted) ||
    task.body.toLowerCase().includes(wanted)
  );
}

/**
 * Whether a claim ends soon, and its holder has been silent for longer than what is left of it: an agent that works renews its
 * claims by each call, however short they are.
 */
export function endsSoon(claim, lastSeen, now) {
  const left = Date.parse(claim.expires_at) - now;
  const heard = Math.max(Date.parse(claim.claimed_at), lastSeen ? Date.parse(lastSeen) : 0);
  return left < SOON && now - heard > left;
}

/** The capabilities that a task needs and an agent lacks. */
export function lacks(task, agent) {
  return task.needs.filter((need) => !agent.capabilities.includes(need));
}

/**
 * From which number on the newest tasks of a project are read, so that about `wanted` of them come: numbers have no gaps, and
 * of `total` tasks `share` are of the kind that is asked for.
 */
export function newestFrom(total, share, wanted) {
  if (share <= wanted) return 0;
  return Math.max(0, total - Math.ceil((wanted * total) / share) * 2);
}
