// What waits for you: tasks in review, requests of agents that have no answer, and proposed rules.

import { nameOf } from "../../agents.js";
import { get, post } from "../../api.js";
import { badge, button, clip, empty, face, flushPanel } from "../../components/basics.js";
import { openDialog } from "../../components/dialog.js";
import { form } from "../../components/form.js";
import { brief } from "../../components/json-view.js";
import { approve, reject } from "../../components/task-actions.js";
import { taskLink } from "../../components/task-bits.js";
import { attempt, toast } from "../../components/toast.js";
import { h, replace, setText } from "../../dom.js";
import { plural } from "../../format.js";
import { answerTopic, unanswered } from "../../log.js";

/** The topics by which reviews and requests come and are answered. */
export const DECISION_TOPICS = ["*.request", "*.yes", "*.no", "$task.*", "$rule.*", "$rules.*"];

// Requests beyond the newest hundred are old news, and so are answers beyond a few hundred.
const REQUESTS = 100;
const ANSWERS = 500;
// So many of each are shown; the rest is a number and a link.
const SHOWN = 8;

/** The panel: its element, and `load(signal)`, which reads it anew. */
export function decisionPanel() {
  const body = h("ul.decisions");
  const number = h("span.badge.count", { hidden: true });
  const element = flushPanel(
    h(".row", h("h2", "Waiting for you"), number),
    h(
      "span.dots.small",
      h("a", { href: "/tasks" }, "Tasks"),
      h("a", { href: "/events?topic=*.request" }, "Requests"),
      h("a", { href: "/rules?status=proposed" }, "Proposals"),
    ),
    body,
  );

  element.classList.add("waiting");

  async function load(signal) {
    const last = (topic, n) => get("/api/events/history", { query: { topic, last: n }, signal });
    const [{ projects }, rules, asked, ...answers] = await Promise.all([
      get("/api/tasks", { signal }),
      get("/api/rules", { query: { status: "proposed" }, signal }),
      last("*.request", REQUESTS),
      last("*.yes", ANSWERS),
      last("*.no", ANSWERS),
    ]);
    const requests = unanswered(asked, answers.flat());
    const reviews = await inReview(projects, signal);
    const inAll = projects.reduce((sum, { review }) => sum + review, 0);
    const waiting = rules.length + requests.length + inAll;
    setText(number, String(waiting));
    number.hidden = waiting === 0;
    replace(
      body,
      waiting === 0 && h("li", empty("check", "Nothing waits for you")),
      reviews.map((task) => review(task)),
      further(inAll, "task in review", "/tasks", reviews.length),
      requests.slice(0, SHOWN).map((event) => request(event)),
      further(requests.length, "request", "/events?topic=*.request"),
      rules.slice(0, SHOWN).map((rule) => proposal(rule)),
      further(rules.length, "proposal", "/rules?status=proposed"),
    );
  }
  return { element, load };
}

function further(n, one, href, shown = SHOWN) {
  return n > shown && h("li.decision", h("a.small", { href }, `${plural(n - shown, `more ${one}`)}`));
}

/** Tasks in review, those of the projects with the most of them first. */
async function inReview(projects, signal) {
  const some = projects.filter(({ review: n }) => n > 0).sort((a, b) => b.review - a.review);
  const lists = await Promise.all(
    some
      .slice(0, SHOWN)
      .map(({ project }) =>
        get(`/api/tasks/${encodeURIComponent(project)}`, { query: { status: "review", limit: SHOWN }, signal }),
      ),
  );
  return lists.flat().slice(0, SHOWN);
}

function review(task) {
  return h(
    "li.decision",
    h(".row", badge("review", "warn"), taskLink(task)),
    task.result !== null && h("p.small.mono.clip.data.soft", brief(task.result)),
    h(
      ".row",
      h("span.small.faint.clip.data", task.project),
      h(
        ".push.row",
        button("Send back", () => reject(task), { tone: "danger", little: true }),
        button("Approve", () => approve(task), { tone: "good", little: true, icon: "check" }),
      ),
    ),
  );
}

function request(event) {
  const { id, topic, source, data } = event;
  const said = [data?.need, data?.question, data?.needs].find((text) => typeof text === "string") ?? brief(data);
  return h(
    "li.decision",
    h(".row", badge("request", "accent"), h("a.strong.clip.data", { href: `/events?id=${id}`, title: topic }, topic)),
    h("p.data", said),
    h(
      ".row",
      source && h("span.row.small.faint.clip", face(nameOf(source), true), clip(nameOf(source))),
      h(
        ".push.row",
        button("Answer", () => answer(event, said), { little: true, icon: "send" }),
      ),
    ),
  );
}

async function answer({ id, topic }, said) {
  await openDialog(`Answer request ${id}`, (close) =>
    form({
      children: h("p.soft.data", said),
      fields: [
        {
          name: "verdict",
          label: "Answer",
          type: "select",
          options: [
            ["yes", "Yes"],
            ["no", "No"],
          ],
        },
        { name: "note", label: "Note for the agent", type: "textarea", rows: 3, required: true, autofocus: true },
      ],
      submit: "Send",
      cancel: () => close(),
      onsubmit: async ({ verdict, note }) => {
        await post("/api/events/publish", { topic: answerTopic(topic, verdict), data: { request: id, note } });
        close();
        toast(`Request ${id} is answered.`);
      },
    }),
  );
}

function proposal({ project, rule_id: id, message, pattern, context, proposed_by: by }) {
  const address = `${encodeURIComponent(project)}/${encodeURIComponent(id)}`;
  const decide = (verb, done) => attempt(() => post(`/api/rules/${address}/${verb}`), done);
  return h(
    "li.decision",
    h(
      ".row",
      badge("rule", "warn"),
      h("a.strong.clip.data", { href: `/rules/${address}` }, id),
      h("span.faint.small.clip.data", project),
    ),
    h("p.data", message || pattern),
    context && h("p.small.faint.data", context),
    h(
      ".row",
      by && h("span.row.small.faint.clip", face(nameOf(by), true), clip(nameOf(by))),
      h(
        ".push.row",
        button("Reject", () => decide("reject", `${id} was rejected.`), { tone: "danger", little: true }),
        button("Accept", () => decide("accept", `${id} is in force.`), { tone: "good", little: true, icon: "check" }),
      ),
    ),
  );
}
