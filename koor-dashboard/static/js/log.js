// What lists of events have in common: no event twice, what is the same in all topics, which requests wait for an answer.

/** New events (the newest first) before those that are there, each once, and no more than `most`. */
export function merged(fresh, events, most) {
  const known = new Set();
  const all = [];
  for (const event of [...fresh, ...events]) {
    if (all.length === most) break;
    if (known.has(event.id)) continue;
    known.add(event.id);
    all.push(event);
  }
  return all;
}

// Topics of the server that are not system topics: they belong to no project.
const SERVER = new Set(["agent.", "compliance.", "llm."]);

/** The first segment of these topics with its dot, where all that are a project's have the same one; or "". */
export function commonProject(topics) {
  const all = topics.map((topic) => topic.slice(0, topic.indexOf(".") + 1)).filter((first) => !SERVER.has(first));
  const projects = new Set(all);
  const [project] = projects;
  return all.length > 1 && projects.size === 1 ? project : "";
}

/**
 * The requests (`<project>.<agent>.request`) that no answer (`….yes` or `….no`, with the id of the request in its data)
 * belongs to, the newest first.
 */
export function unanswered(requests, answers) {
  const answered = new Set(answers.map(({ data }) => data?.request).filter(Number.isInteger));
  return requests.filter(({ id }) => !answered.has(id)).sort((a, b) => b.id - a.id);
}

/** The topic of an answer to a request, as the wizard's instructions have it: `<project>.controller.<agent>.yes`. */
export function answerTopic(request, verdict) {
  const parts = request.split(".");
  const agent = parts.at(-2) ?? "";
  const project = parts.slice(0, -2);
  return [...project, "controller", agent, verdict].filter(Boolean).join(".");
}
