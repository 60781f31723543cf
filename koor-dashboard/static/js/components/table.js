// A table that can be sorted, whose rows lead somewhere. For some hundred rows; beyond that there is virtual.js.

import { h, keyed } from "../dom.js";
import { icon } from "./icons.js";

/**
 * A table. Each column: { label, render(row), sort?(row) → string or number, end?, fit?, unseen?, wide? }. A `wide` one is
 * left out on a phone.
 * `key(row)` tells rows apart; `href(row)` makes the whole row lead there (the first cell should hold the link, for
 * keyboards). `show(rows)` of the element draws them.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {any[]} options.columns
 * @param {(row: any) => any} options.key
 * @param {(row: any) => string} [options.href]
 * @param {(href: string) => any} [options.go]
 * @param {(row: any) => boolean} [options.chosen]
 * @param {{ at: number, down: boolean } | null} [options.sorted]
 */
export function table({ label, columns, key, href, go, chosen, sorted = null }) {
  let rows = [];
  let order = sorted;
  const body = h("tbody");
  const draw = keyed(body, key, (row) =>
    h(
      "tr",
      {
        class: [href && "go", chosen?.(row) && "chosen"].filter(Boolean).join(" "),
        onclick:
          href &&
          ((event) => {
            if (!event.target.closest("a, button, input, select, label") && !getSelection().toString()) go(href(row));
          }),
      },
      columns.map((column) => h("td", { class: place(column) }, column.render(row))),
    ),
  );
  const heads = columns.map((column, at) => {
    const head = h("th", { scope: "col", class: place(column) });
    if (column.unseen) head.append(h("span.unseen", column.label));
    else if (!column.sort) head.append(column.label);
    else
      head.append(
        h(
          "button",
          { type: "button", onclick: () => sortBy(at) },
          column.label,
          h("span.sign", { "aria-hidden": "true" }),
        ),
      );
    return head;
  });
  const made = h(
    ".table-wrap",
    { role: "region", "aria-label": label, tabindex: 0 },
    h("table.table", h("thead", h("tr", heads)), body),
  );

  function sortBy(at) {
    order = order?.at === at ? { at, down: !order.down } : { at, down: false };
    paint();
  }
  function paint() {
    heads.forEach((head, at) => {
      const on = order?.at === at;
      if (on) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      const sign = head.querySelector(".sign");
      if (sign) sign.textContent = on ? (order.down ? "↓" : "↑") : "";
    });
    draw(order ? arrange(rows, columns[order.at].sort, order.down) : rows);
  }
  made.show = (next) => {
    rows = next;
    paint();
    return made;
  };
  return made;
}

function place({ end, fit, wide }) {
  return [end && "end num", fit && "fit", wide && "only-wide"].filter(Boolean).join(" ");
}

function arrange(rows, by, down) {
  const sign = down ? -1 : 1;
  return rows
    .map((row) => [by(row), row])
    .sort(
      ([a], [b]) =>
        sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true })),
    )
    .map(([, row]) => row);
}

/** A button at the end of a list that reads more of it. */
export function more(text, work) {
  const made = h(
    ".empty",
    h(
      "button.button",
      {
        type: "button",
        onclick: async ({ currentTarget }) => {
          currentTarget.disabled = true;
          try {
            await work();
          } finally {
            currentTarget.disabled = false;
          }
        },
      },
      icon("clock"),
      text,
    ),
  );
  return made;
}
