// Charts as plain SVG. Each says in words what it shows, and a table for screen readers holds its numbers.

import { h, replace, svg } from "../dom.js";

// Until its place is known.
const WIDTH = 640;
const LEAST = 240;

/** The class number of a series: its place among six colours, "rest" beyond. */
export function series(at) {
  return at < 6 ? at + 1 : "rest";
}

/**
 * Stacked columns, drawn as wide as their place is, so that words keep their size. `labels` along the x axis (`long` ones
 * for the tip), `parts`: [{ name, values }], `format` writes a number.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {string[]} options.labels
 * @param {string[]} [options.long]
 * @param {{ name: string, values: number[] }[]} options.parts
 * @param {(n: number) => string} [options.format]
 * @param {number} [options.height]
 */
export function columns({ label, labels, long = labels, parts, format = String, height = 180 }) {
  const sums = labels.map((_, at) => parts.reduce((sum, { values }) => sum + values[at], 0));
  const top = niceTop(Math.max(...sums, 0));
  const [left, bottom, above] = [8, 20, 8];
  const ticks = [0, 0.5, 1];
  const right = Math.max(...ticks.map((tick) => format(top * tick).length)) * 6.5 + 12;
  const y = (value) => above + (height - bottom - above) * (1 - value / top);
  const tip = h(".tip", { hidden: true });
  const place = h("div");
  const made = h(
    "figure.chart",
    { role: "group", "aria-label": label },
    place,
    tip,
    numbers(label, long, parts, format),
  );

  function draw(total) {
    const inner = total - left - right;
    const step = inner / labels.length;
    const width = Math.max(1, Math.min(step * 0.72, 34));
    const every = Math.ceil(labels.length / Math.floor(inner / 58));
    const drawing = svg("svg", { viewBox: `0 0 ${total} ${height}`, "aria-hidden": "true" });
    for (const tick of ticks) {
      drawing.append(
        svg("line.grid", { x1: left, x2: left + inner, y1: y(top * tick), y2: y(top * tick) }),
        svg("text", { x: left + inner + 8, y: y(top * tick) + 4 }, format(top * tick)),
      );
    }
    labels.forEach((text, at) => {
      const center = left + step * (at + 0.5);
      let sum = 0;
      parts.forEach(({ values }, which) => {
        if (values[at] <= 0) return;
        const [from, to] = [y(sum), y((sum += values[at]))];
        drawing.append(
          svg(`rect.fill-${series(which)}`, {
            x: center - width / 2,
            y: to,
            width,
            height: Math.max(from - to, 0.75),
            rx: Math.min(2, width / 4),
          }),
        );
      });
      if ((labels.length - 1 - at) % every === 0)
        drawing.append(svg("text", { x: center, y: height - 4, "text-anchor": "middle" }, text));
      drawing.append(
        svg("rect.hit", {
          x: center - step / 2,
          y: above,
          width: step,
          height: height - bottom - above,
          onpointerenter: () => {
            replace(
              tip,
              h("strong", long[at]),
              parts
                .filter(({ values }) => values[at] > 0)
                .map(({ name, values }) => h("div", name && `${name}: `, format(values[at]))),
              parts.length > 1 && h("div.strong", `Together: ${format(sums[at])}`),
            );
            tip.hidden = false;
            const room = made.clientWidth;
            const x = (center / total) * room;
            tip.style.setProperty(
              "left",
              `${Math.max(0, Math.min(x - tip.offsetWidth / 2, room - tip.offsetWidth))}px`,
            );
            tip.style.setProperty("bottom", `${(1 - y(sums[at]) / height) * 100}%`);
          },
          onpointerleave: () => (tip.hidden = true),
        }),
      );
    });
    place.replaceChildren(drawing);
  }

  let drawn = 0;
  new ResizeObserver(() => {
    const total = Math.max(made.clientWidth, LEAST);
    if (total !== drawn) draw((drawn = total));
  }).observe(made);
  draw(WIDTH);
  return made;
}

function numbers(label, labels, parts, format) {
  return h(
    ".unseen",
    h(
      "table",
      h("caption", label),
      h(
        "thead",
        h(
          "tr",
          h("th", { scope: "col" }, "When"),
          parts.map(({ name }) => h("th", { scope: "col" }, name || "Value")),
        ),
      ),
      h(
        "tbody",
        labels.map((text, at) =>
          h(
            "tr",
            h("th", { scope: "row" }, text),
            parts.map(({ values }) => h("td", format(values[at]))),
          ),
        ),
      ),
    ),
  );
}

/** The names of the series in their colours. `parts`: [{ name, note? }]. */
export function legend(parts) {
  return h(
    "ul.legend",
    parts.map(({ name, note }, at) =>
      h(
        "li",
        h("span.swatch", { class: `back-${series(at)}` }),
        h("span.clip.data", name),
        note && h("span.faint.num", note),
      ),
    ),
  );
}

/** A row of small columns, for a card. `said` is what it shows, in words. */
export function spark(values, said) {
  const top = Math.max(...values, 1);
  const step = 100 / values.length;
  return svg(
    "svg.spark",
    { viewBox: "0 0 100 28", preserveAspectRatio: "none", role: "img", "aria-label": said },
    values.map((value, at) =>
      svg(value ? "rect" : "rect.none", {
        x: at * step + step * 0.12,
        width: step * 0.76,
        rx: 0.6,
        height: value ? Math.max((value / top) * 27, 2) : 1,
        y: 28 - (value ? Math.max((value / top) * 27, 2) : 1),
      }),
    ),
  );
}

/** The next 1, 2, 2.5 or 5 times a power of ten. */
function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
}

/** The last `n` whole hours or days before `now` in UTC, oldest first, as periods of the server ("2026-02-16T14"). */
export function periods(now, n, unit = "hour") {
  const size = unit === "hour" ? 3_600_000 : 86_400_000;
  const last = Math.floor(now / size) * size;
  return Array.from({ length: n }, (_, at) =>
    new Date(last - (n - 1 - at) * size).toISOString().slice(0, unit === "hour" ? 13 : 10),
  );
}
