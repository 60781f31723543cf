// Lines on the board between a card and those that it waits for, and those that wait for it.

import { replace, svg } from "../../dom.js";
import { related } from "../../tasks.js";

/**
 * The lines: their element, which lies over the board; `point(area, number, tasks)` draws those of one card and marks its
 * relations (0 for none); `draw()` draws them again where the cards are now.
 */
export function linkLines() {
  const element = svg("svg.links", { "aria-hidden": "true" });
  let shown = null;

  function point(area, number, tasks) {
    const same = shown?.number === number && shown.tasks === tasks;
    if (same) return;
    shown = { area, number, tasks };
    const { before, next } = number ? related(tasks, number) : { before: new Set(), next: new Set() };
    Object.assign(shown, { before, next });
    const any = before.size + next.size > 0;
    area.classList.toggle("pointing", any);
    for (const card of area.querySelectorAll(".task-card")) {
      const of = Number(card.dataset.number);
      card.classList.toggle("before", before.has(of));
      card.classList.toggle("next", next.has(of));
      card.classList.toggle("pointed", any && of === number);
    }
    draw();
  }

  function draw() {
    if (!shown) return;
    const { area, number, before, next } = shown;
    if (!before.size && !next.size) {
      if (element.firstChild) replace(element);
      return;
    }
    const ground = area.getBoundingClientRect();
    const origin = { x: ground.left - area.scrollLeft, y: ground.top - area.scrollTop };
    element.setAttribute("width", String(area.scrollWidth));
    element.setAttribute("height", String(area.scrollHeight));
    const here = boxOf(area, number);
    const lines = [
      ...[...before].map((other) => [boxOf(area, other), here, "before"]),
      ...[...next].map((other) => [here, boxOf(area, other), "next"]),
    ];
    replace(
      element,
      lines
        .filter(([from, to]) => from && to)
        .map(([from, to, kind]) => svg(`path.${kind}`, { d: curve(from, to, origin) })),
    );
  }
  return { element, point, draw };
}

/** Where a card is, if it can be seen in its column. */
function boxOf(area, number) {
  const card = area.querySelector(`.task-card[data-number="${number}"]`);
  if (!card || card.offsetParent === null) return null;
  const box = card.getBoundingClientRect();
  const list = card.parentElement.getBoundingClientRect();
  const middle = (box.top + box.bottom) / 2;
  return middle < list.top || middle > list.bottom ? null : box;
}

/** A curve from the edge of one card to that of another: sideways between columns, around the edge within one. */
function curve(from, to, { x, y }) {
  const [startY, endY] = [(from.top + from.bottom) / 2 - y, (to.top + to.bottom) / 2 - y];
  const sameColumn = Math.abs(from.left - to.left) < 8;
  if (sameColumn) {
    const edge = from.left - x;
    const out = edge - 13;
    return `M${edge} ${startY} C${out} ${startY} ${out} ${endY} ${edge} ${endY}`;
  }
  const forward = from.left < to.left;
  const startX = (forward ? from.right : from.left) - x;
  const endX = (forward ? to.left : to.right) - x;
  const bend = Math.max(24, Math.abs(endX - startX) / 2) * (forward ? 1 : -1);
  return `M${startX} ${startY} C${startX + bend} ${startY} ${endX - bend} ${endY} ${endX} ${endY}`;
}
