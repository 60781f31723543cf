// What receipts say: how far a message has come with each recipient.

/** The steps of a message, in their order, and the field of a receipt that has the time of each. */
export const STEPS = [
  { word: "stored", field: "stored_at" },
  { word: "shown", field: "surfaced_at" },
  { word: "read", field: "read_at" },
  { word: "acknowledged", field: "acked_at" },
];

/** The last step of a receipt that was reached, as an index of STEPS. */
export function stepOf(receipt) {
  return STEPS.findLastIndex(({ field }) => receipt[field]) || 0;
}

/** Whether a receipt still waits for its recipient: for an acknowledgement where one is asked for, else to be read. */
export function waits({ ack }, receipt) {
  return ack ? !receipt.acked_at : !receipt.read_at;
}

/**
 * Of events `$message.sent` and `$message.acked`, the ids of urgent messages that may still wait for a recipient, the newest
 * first. Whether one does, its receipts tell: what was read leaves no event.
 */
export function urgentCandidates(sent, acked) {
  const acks = new Map();
  for (const { data } of acked) {
    const names = acks.get(data.id) ?? new Set();
    acks.set(data.id, names.add(`${data.project}/${data.name}`));
  }
  return sent
    .filter(({ data }) => data.urgent && !data.recipients.every((name) => acks.get(data.id)?.has(name)))
    .map(({ data }) => data.id)
    .sort((a, b) => b - a);
}
