// Which inboxes there are, and what is in them.

import { mailboxes, parts } from "../../addresses.js";
import { get } from "../../api.js";

// Sent messages of which the log is asked, to know the names that messages went to.
const SENT = 1000;
// Inboxes whose unread messages are counted; others are counted when they are opened.
const COUNTED = 100;
/** The most unread messages that are counted. */
export const UNREAD = 100;
const PAGE = 500;

/**
 * Every inbox: `{ address, project, name, unread, urgent }`. A visitor with an agent's token may read its own only; then `own`
 * is its address.
 */
export async function readBoxes(signal) {
  const [instances, sent] = await Promise.all([
    get("/api/instances", { signal }),
    get("/api/events/history", { query: { topic: "$message.sent", last: SENT }, signal }),
  ]);
  const found = mailboxes(instances, sent);
  const received = new Set(sent.flatMap(({ data }) => data.recipients));
  const asked = found.filter(({ address }) => received.has(address)).slice(0, COUNTED);
  try {
    const lists = await Promise.all(asked.map(({ address }) => readUnread({ agent: address }, signal)));
    const unread = new Map(asked.map(({ address }, at) => [address, lists[at]]));
    return { instances, own: "", boxes: found.map((box) => counted(box, unread.get(box.address) ?? [])) };
  } catch (error) {
    if (error.status !== 403) throw error;
  }
  const { agent } = await get("/api/brief", { query: { peek: 1 }, signal });
  const own = agent.includes("/") ? agent : `/${agent}`;
  return { instances, own, boxes: [counted({ address: own, ...parts(own) }, await readUnread({}, signal))] };
}

function readUnread(whose, signal) {
  return get("/api/messages", { query: { ...whose, unread: 1, limit: UNREAD }, signal });
}

/** An inbox with the number of its unread messages, of those given. */
export function counted(box, messages) {
  const unread = messages.filter((message) => !message.read_at);
  return { ...box, unread: Math.min(unread.length, UNREAD), urgent: unread.some((message) => message.urgent) };
}

/** The messages of a box (inbox or sent), the newest first. */
export async function readBox(address, box, own, signal) {
  const agent = own ? null : address;
  return (await get("/api/messages", { query: { agent, box, limit: PAGE }, signal })).reverse();
}
