// A message that is open: its text, its receipts, and the other messages of its thread.

import { get } from "../../api.js";
import { ago, face, failure } from "../../components/basics.js";
import { h, replace } from "../../dom.js";
import { moment } from "../../format.js";
import { STEPS, stepOf } from "../../messages.js";

/** How far a message has come with one recipient, as steps. The last one is left out where none is asked for. */
export function receiptSteps(message, receipt) {
  const reached = stepOf(receipt);
  const steps = message.ack || receipt.acked_at ? STEPS : STEPS.slice(0, -1);
  return h(
    "span.receipt",
    steps.map(({ word, field }, at) =>
      h(
        "span.step",
        {
          class: at <= reached ? "reached" : "",
          title: receipt[field] ? `${word}: ${moment(receipt[field])}` : `not ${word} yet`,
        },
        h("i", { "aria-hidden": "true" }),
        at > reached && h("span.unseen", "not "),
        word,
      ),
    ),
  );
}

/** The text of a message with the receipts of all recipients, which are read now. */
export function thread(ctx, id) {
  const place = h(".message-open", h("p.faint.small", "…"));
  get(`/api/messages/${id}`, { signal: ctx.signal }).then(
    (message) => replace(place, content(message)),
    (error) => error.name !== "AbortError" && replace(place, failure(error)),
  );
  return place;
}

function content(message) {
  const { body, receipts, from, thread: first, id, reply_to: answered } = message;
  return [
    h("p.message-body.data", body),
    h(
      "p.small.faint",
      `Message ${id} from `,
      h("span.data", from || "an admin"),
      answered && `, an answer to ${answered}`,
      first !== id && `, thread ${first}`,
    ),
    h(
      "table.table.receipts",
      h(
        "thead",
        h(
          "tr",
          h("th", { scope: "col" }, "Recipient"),
          STEPS.map(({ word }) => h("th", { scope: "col" }, word[0].toUpperCase() + word.slice(1))),
        ),
      ),
      h(
        "tbody",
        receipts.map((receipt) =>
          h(
            "tr",
            h("th", { scope: "row" }, h("span.row", face(receipt.name, true), h("span.data", receipt.name))),
            STEPS.map(({ field }) => h("td", receipt[field] ? ago(receipt[field]) : h("span.faint", "–"))),
          ),
        ),
      ),
    ),
  ];
}
