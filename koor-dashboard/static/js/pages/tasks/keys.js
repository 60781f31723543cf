// Keys of the board: arrows move among cards, a assigns, y approves, n sends back.

import { approve, reject } from "../../components/task-actions.js";

/** Listens to keys on the cards in that element. `of(number)` gives a task, `assign(task)` asks which agent gets it. */
export function cardKeys(area, { of, assign }) {
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = event.target.closest(".task-card");
    if (!card) return;
    const step = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key];
    const task = of(Number(card.dataset.number));
    const done = step ? move(area, card, step) : task && act(event.key, task, assign);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function act(key, task, assign) {
  const { status } = task;
  if (key === "a" && (status === "open" || status === "claimed")) assign(task);
  else if (key === "y" && status === "review") approve(task);
  else if (key === "n" && status === "review") reject(task);
  else return false;
  return true;
}

/** Moves to the next card of the column, or to the nearest one of the next column that has any. */
function move(area, card, [across, down]) {
  const columns = [...area.querySelectorAll(".task-cards")]
    .map((list) => [...list.querySelectorAll(".task-card")].filter((one) => one.offsetParent !== null))
    .filter((cards) => cards.length);
  const at = columns.findIndex((cards) => cards.includes(card));
  let next;
  if (down) next = columns[at][columns[at].indexOf(card) + down];
  else next = nearest(columns[at + across], card);
  next?.querySelector("[data-part=name]").focus();
  return true;
}

function nearest(cards, card) {
  const { top } = card.getBoundingClientRect();
  const far = (one) => Math.abs(one.getBoundingClientRect().top - top);
  return cards?.reduce((best, one) => (far(one) < far(best) ? one : best));
}
