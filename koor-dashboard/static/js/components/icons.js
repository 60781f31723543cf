// Pictures of one line weight, drawn on a grid of 16. A name that is not here is a mistake that shows.

import { svg } from "../dom.js";

const PATHS = {
  overview: "M2.5 2.5h4.5v6h-4.5zM9 2.5h4.5v3.5h-4.5zM9 8h4.5v5.5h-4.5zM2.5 10.5h4.5v3h-4.5z",
  events: "M1.5 8h3l2-5 3 10 2-5h3",
  tasks: "M2.5 2.5h3v11h-3zM6.5 2.5h3v7h-3zM10.5 2.5h3v4.5h-3z",
  leases: "M4.5 7v-2a3.5 3.5 0 0 1 7 0v2M3 7h10v7h-10zM8 9.8v1.6",
  messages: "M1.5 3.5h13v9.5h-13zM1.5 4l6.5 5 6.5-5",
  agents:
    "M5.5 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 1.8-4 4-4s4 1.5 4 4M10.5 2.8a2.4 2.4 0 0 1 0 4.5M11.5 9.7c1.9.4 3 1.8 3 3.8",
  state:
    "M8 6.5c3 0 5.5-.9 5.5-2s-2.5-2-5.5-2-5.5.9-5.5 2 2.5 2 5.5 2zM2.5 4.5v7c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2v-7M2.5 8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2",
  specs: "M4 1.5h5.5l3 3v10h-8.5zM9.5 1.5v3h3M6 8h4.5M6 11h4.5",
  templates: "M8 1.5l6 3-6 3-6-3zM2 8l6 3 6-3M2 11.3l6 3 6-3",
  rules: "M8 1.5l5.5 2v4c0 3.5-2.3 5.9-5.5 7-3.2-1.1-5.5-3.5-5.5-7v-4zM5.5 8l1.8 1.8 3.2-3.6",
  compliance: "M3 2.5h10v11h-10zM5.5 6l1 1 1.5-2M5.5 10.5l1 1 1.5-2M10 6.2h1M10 10.5h1",
  audit: "M2.5 3h11M2.5 6.3h11M2.5 9.7h6M2.5 13h6M11 12l1.3 1.3 2.2-3",
  costs:
    "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM10 5.8c-.3-.8-1-1.2-2-1.2-1.2 0-2 .6-2 1.6 0 2.4 4.1 1.1 4.1 3.5 0 1-.9 1.7-2.1 1.7s-2-.5-2.2-1.4M8 3.5v1M8 11.5v1",
  webhooks:
    "M6.2 7a2.7 2.7 0 1 1 3.3-.6l2 3.6M10 10.5a2.7 2.7 0 1 1 .2 2.5h-4.2M7.8 4.9l-2.3 4.3M5.5 10a2.6 2.6 0 1 0 .4 3",
  docs: "M8 4c-1.2-1-3-1.5-5.5-1.5v10c2.5 0 4.3.5 5.5 1.5 1.2-1 3-1.5 5.5-1.5v-10c-2.5 0-4.3.5-5.5 1.5zM8 4v10",
  search: "M7 12a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM10.7 10.7l3.3 3.3",
  menu: "M2 4.5h12M2 8h12M2 11.5h12",
  close: "M4 4l8 8M12 4l-8 8",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5v1.5M1 8h1.5M13.5 8h1.5M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.8a6 6 0 0 1-7.3-7.3 6 6 0 1 0 7.3 7.3z",
  auto: "M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM8 2v12M8 5h4.5M8 8h6M8 11h4.5",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M4.5 2.5l8.5 5.5-8.5 5.5z",
  plus: "M8 3v10M3 8h10",
  check: "M3 8.5l3.5 3.5 6.5-8",
  edit: "M10.5 2.5l3 3-8 8h-3v-3z",
  trash: "M2.5 4h11M6 4v-1.5h4v1.5M4 4l.7 9.5h6.6l.7-9.5M6.7 6.5v4.5M9.3 6.5v4.5",
  back: "M9.5 3l-5 5 5 5",
  undo: "M3 6h6.5a3.7 3.7 0 0 1 0 7.5h-4M5.5 3l-3 3 3 3",
  clock: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 4.5v3.7l2.3 1.5",
  download: "M8 2v8M4.5 7l3.5 3.5 3.5-3.5M2.5 13.5h11",
  upload: "M8 10.5v-8.5M4.5 5.5l3.5-3.5 3.5 3.5M2.5 13.5h11",
  send: "M14 2l-12 4.8 5 2.2 2.2 5zM7 9l3-3",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  folder: "M1.5 3.5h4.5l1.5 2h7v8h-13z",
  warn: "M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.4v.4",
  info: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 7.5v3.5M8 5v.3",
  out: "M6 2.5h-3.5v11h3.5M6.5 8h7.5M11 5l3 3-3 3",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.5v3h-3",
  stuck: "M4.5 1.5h7M4.5 14.5h7M5 1.5v2.5l3 4-3 4v2.5M11 1.5v2.5l-3 4 3 4v2.5",
  assign: "M6.5 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM2 13.5c0-2.5 2-4 4.5-4 1 0 1.9.2 2.6.6M12 9v5M9.5 11.5h5",
  note: "M3 2.5h10v7.5l-3.5 3.5h-6.5zM13 10h-3.5v3.5M5.5 5.5h5M5.5 8h3",
  filter: "M2 3.5h12M4.5 8h7M6.7 12.5h2.6",
};

/** A picture beside a word; screen readers pass over it. */
export function icon(name) {
  const picture = {
    viewBox: "0 0 16 16",
    width: 16,
    height: 16,
    "aria-hidden": "true",
    fill: "none",
    stroke: "currentColor",
  };
  const pen = { "stroke-width": 1.4, "stroke-linecap": "round", "stroke-linejoin": "round" };
  return svg("svg", { ...picture, ...pen }, svg("path", { d: PATHS[name] }));
}

/** The mark of Koor: three voices, one of which leads. */
export function mark() {
  const bar = (name, x, y, height) => svg(`rect.${name}`, { x, y, width: 4, height, rx: 2 });
  return svg(
    "svg",
    { viewBox: "0 0 32 32", "aria-hidden": "true" },
    svg("rect.ground", { width: 32, height: 32, rx: 8 }),
    bar("voice", 7, 12, 8),
    bar("lead", 14, 6, 20),
    bar("voice", 21, 10, 12),
  );
}
