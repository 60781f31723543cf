// Messages: the inbox of each agent, with a receipt for each message; sending one.

import { agentsOf, parts } from "../addresses.js";
import { pathOf, post } from "../api.js";
import { ago, badge, button, empty, face, pageHead, search, tabs } from "../components/basics.js";
import { openDialog } from "../components/dialog.js";
import { form } from "../components/form.js";
import { toast } from "../components/toast.js";
import { h, keyed, replace, setText } from "../dom.js";
import { count, plural } from "../format.js";
import { waits } from "../messages.js";
import { throttle } from "../timing.js";
import { UNREAD, counted, readBox, readBoxes } from "./messages/read.js";
import { receiptSteps, thread } from "./messages/thread.js";

const REFRESH = 700;
// What is shown and read leaves no event of its own, but the agent that does it makes calls that do.
const LOOK_AGAIN = 2000;

export async function open(ctx) {
  const { root, signal } = ctx;
  let boxes = [];
  let instances = [];
  let own = "";
  let place = read(ctx);
  let listed = [];
  let wanted = "";

  const tally = h("span.lead.num");
  const from = h("ul.mailboxes", { "aria-label": "Agents" });
  const to = h(".to");
  const split = h(
    ".split.messages",
    h("section.panel.from", h(".list-search", search("Find an agent", "", find)), from),
    to,
  );
  const none = h("div");
  const drawBoxes = keyed(from, ({ address }) => address, mailbox);
  root.append(
    pageHead(
      "Messages",
      tally,
      button("Send a message", () => compose(), { icon: "send", tone: "primary" }),
    ),
    none,
    split,
  );

  function find(text) {
    wanted = text.toLowerCase();
    paintBoxes();
  }

  async function load() {
    const read = await readBoxes(signal);
    ({ instances, own } = read);
    keep(read.boxes);
    if (!place.address && boxes.length && (own || !matchMedia("(max-width: 60rem)").matches)) {
      place.address = [...boxes].sort((a, b) => Number(b.urgent) - Number(a.urgent) || b.unread - a.unread)[0].address;
    }
    await loadBox();
    paint();
  }

  /** Reads the box that is shown; what it says of unread messages counts for the list as well. */
  async function loadBox() {
    const { address, box } = place;
    listed = address ? await readBox(address, box, own, signal) : [];
    if (box === "inbox") keep(boxes.map((one) => (one.address === address ? counted(one, listed) : one)));
  }

  /** Keeps boxes that say the same as the same objects, so that only others are drawn. */
  function keep(next) {
    const known = new Map(boxes.map((box) => [box.address, box]));
    boxes = next.map((box) => {
      const marked = { ...box, chosen: box.address === place.address };
      const before = known.get(box.address);
      return before && JSON.stringify(before) === JSON.stringify(marked) ? before : marked;
    });
  }

  function paintBoxes() {
    drawBoxes(boxes.filter(({ address }) => !wanted || address.toLowerCase().includes(wanted)));
  }

  function paint() {
    const unread = boxes.reduce((sum, box) => sum + box.unread, 0);
    setText(tally, boxes.length ? `${count(unread)} unread in ${plural(boxes.length, "inbox", "inboxes")}` : "");
    replace(
      none,
      boxes.length === 0 &&
        empty(
          "messages",
          "No agents yet",
          "An agent with a workspace has an inbox. One writes to another with ",
          h("code", "koor msg send <agent> --body <text>"),
          ".",
        ),
    );
    split.hidden = boxes.length === 0;
    split.classList.toggle("picked", Boolean(place.address));
    paintBoxes();
    const { address, box } = place;
    if (!address) return replace(to);
    const { project, name } = parts(address);
    const href = (part) => `/messages/${encodeURIComponent(project)}/${pathOf(name)}${part ? `?box=${part}` : ""}`;
    replace(
      to,
      h(
        "section.panel",
        h(
          "header",
          h(
            "a.button.quiet.icon.only-narrow",
            { href: "/messages", "aria-label": "All agents", title: "All agents" },
            "‹",
          ),
          face(name),
          h("h2.clip.data", name),
          h("span.faint.small.data", project),
          h(
            ".push",
            button("Write", () => compose(address), { icon: "send", little: true }),
          ),
        ),
        tabs("Box", [
          [href(""), "Inbox", box === "inbox"],
          [href("sent"), "Sent", box === "sent"],
        ]),
        listed.length === 0
          ? empty("messages", box === "inbox" ? `${name} has no messages` : `${name} has sent nothing`)
          : h(
              "ul.message-list",
              { "aria-label": box === "inbox" ? `Inbox of ${name}` : `Sent by ${name}` },
              listed.map((message) => item(message, href)),
            ),
      ),
    );
  }

  function mailbox({ address, project, name, unread, urgent, chosen }) {
    return h(
      "li",
      { class: chosen ? "chosen" : "" },
      h(
        "a.mailbox",
        {
          href: `/messages/${encodeURIComponent(project)}/${pathOf(name)}`,
          "aria-current": chosen ? "page" : null,
          title: address,
        },
        face(name),
        h("span.grow", h("span.strong.clip.data", name), h("span.small.faint.clip.data", project)),
        urgent && badge("urgent", "bad"),
        unread > 0 && h("span.badge.count", count(unread), unread === UNREAD && "+", h("span.unseen", " unread")),
      ),
    );
  }

  function item(message, href) {
    const { id, from: sender, to: named, subject, body, urgent, ack, created_at: at } = message;
    const inbox = place.box === "inbox";
    const other = inbox ? sender : named.join(", ");
    const open = place.id === id;
    const waiting = inbox && waits(message, message);
    const link = new URL(href(inbox ? "" : "sent"), location.href);
    if (!open) link.searchParams.set("id", id);
    return h(
      "li.message",
      { class: `${inbox && !message.read_at ? "unread" : ""} ${open ? "open" : ""}` },
      h(
        "a.message-head",
        { href: link.pathname + link.search, "aria-expanded": String(open) },
        h(
          ".row",
          face(parts(other).name, true),
          h(
            "span.strong.clip.data",
            parts(other).project === parts(place.address).project ? parts(other).name : other || "an admin",
          ),
          urgent && badge("urgent", waiting ? "bad" : ""),
          ack && badge(waiting ? "waits for ack" : "ack", waiting ? "warn" : ""),
          h("span.push.small.faint", ago(at, " ago")),
        ),
        h("span.message-line", subject && h("span.message-subject.data", subject), h("span.clip.data.soft", body)),
        inbox && receiptSteps(message, { stored_at: at, ...message }),
      ),
      open && thread(ctx, id),
    );
  }

  async function compose(address = "") {
    const { project, name } = parts(address);
    const names = project ? agentsOf(instances, project).map((agent) => agent.name) : boxes.map((box) => box.address);
    await openDialog("Send a message", (close) =>
      form({
        fields: [
          {
            name: "to",
            label: "To",
            list: true,
            required: true,
            wide: true,
            value: name,
            suggestions: names,
            autofocus: !address,
            hint: "Names, separated by commas; stack:react, capability:review or * for many.",
            check: (list) => (list.length ? undefined : "Required."),
          },
          {
            name: "workspace",
            label: "Project",
            value: project || (boxes[0]?.project ?? ""),
            hint: "Of names that have none.",
          },
          { name: "subject", label: "Subject" },
          { name: "body", label: "Message", type: "textarea", rows: 4, required: true, autofocus: Boolean(address) },
          { name: "ack", label: "Ask for an acknowledgement", type: "checkbox" },
          { name: "urgent", label: "Urgent: agents see it before other messages", type: "checkbox" },
        ],
        submit: "Send",
        cancel: () => close(),
        onsubmit: async (values) => {
          const sent = await post("/api/messages", values);
          close();
          toast(`The message went to ${sent.recipients.join(", ")}.`);
        },
      }),
    );
  }

  await load();
  const background = (work) => () =>
    work().catch((error) => {
      if (error.name !== "ApiError" && error.name !== "AbortError") throw error;
    });
  const again = throttle(background(load), REFRESH);
  const look = throttle(
    background(async () => {
      await loadBox();
      paint();
    }),
    LOOK_AGAIN,
  );
  ctx.on(["$message.*", "$instance.*"], again);
  ctx.on(["*", "$*"], look);
  signal.addEventListener("abort", () => {
    again.cancel();
    look.cancel();
  });
  return {
    update: async (next) => {
      place = read(next);
      if (own && !place.address) place.address = own;
      await loadBox();
      keep(boxes);
      paint();
    },
    refresh: load,
  };
}

/** Which agent's box is shown, and which message is open. */
function read({ rest, query }) {
  const { project, name } = parts(rest);
  return {
    address: project && name ? `${project}/${name}` : "",
    box: query.get("box") === "sent" ? "sent" : "inbox",
    id: Number(query.get("id")) || 0,
  };
}
