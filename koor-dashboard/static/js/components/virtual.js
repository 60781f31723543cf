// A list of any length: only the lines that can be seen exist.

import { h } from "../dom.js";

// Lines drawn beyond each edge, so that scrolling by a little needs no drawing.
const BEYOND = 6;

/**
 * A list with lines of one height. `draw(item, index)` makes a line's children as an array; `key(item)` tells items apart;
 * `onpick(item, index)` is called by Enter or a click. `role` and `lineRole` name it for screen readers; `describe(item)`
 * may give further attributes of a line. `show(items)` of the element sets what is listed, `scrollToItem(index)` shows one.
 *
 * @param {object} options
 * @param {string} options.label
 * @param {number} options.height
 * @param {(item: any, index: number) => any[]} options.draw
 * @param {(item: any) => any} options.key
 * @param {(item: any, index: number) => any} [options.onpick]
 * @param {(event: KeyboardEvent, item: any, index: number) => any} [options.onkey]
 * @param {string} [options.role]
 * @param {string} [options.lineRole]
 * @param {(item: any) => object} [options.describe]
 * @param {(item: any) => boolean} [options.isChosen]
 */
export function virtualList({
  label,
  height,
  draw,
  key,
  onpick,
  onkey,
  role = "listbox",
  lineRole = "option",
  describe,
  isChosen,
}) {
  let items = [];
  let cursor = -1;
  let lines = new Map();
  let asked = 0;
  const id = `list-${Math.random().toString(36).slice(2, 8)}`;
  const space = h(".space", { role: "presentation" });
  const made = h(".virtual", { role, "aria-label": label, tabindex: 0, onscroll: ask, onkeydown: press }, space);
  const watch = new ResizeObserver(ask);
  watch.observe(made);

  function ask() {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      paint();
    });
  }

  function paint() {
    const from = Math.max(0, Math.floor(made.scrollTop / height) - BEYOND);
    const to = Math.min(items.length, Math.ceil((made.scrollTop + made.clientHeight) / height) + BEYOND);
    const next = new Map();
    for (let index = from; index < to; index += 1) {
      const item = items[index];
      const name = key(item);
      // One that is listed twice would leave a line behind that nothing moves any more.
      if (next.has(name)) continue;
      const chosen = isChosen?.(item) ?? false;
      let line = lines.get(name);
      if (!line || line.item !== item || line.chosen !== chosen) {
        line?.node.remove();
        line = { item, chosen, node: make(item, index, chosen) };
        space.append(line.node);
      }
      lines.delete(name);
      next.set(name, line);
      if (line.index !== index) {
        line.index = index;
        line.node.style.transform = `translateY(${index * height}px)`;
        line.node.setAttribute("aria-posinset", index + 1);
        line.node.id = `${id}-${index}`;
      }
      if (line.size !== items.length) {
        line.size = items.length;
        line.node.setAttribute("aria-setsize", items.length);
      }
      line.node.classList.toggle("cursor", index === cursor);
    }
    for (const { node } of lines.values()) node.remove();
    lines = next;
    if (next.size && cursor >= from && cursor < to) made.setAttribute("aria-activedescendant", `${id}-${cursor}`);
    else made.removeAttribute("aria-activedescendant");
  }

  function make(item, index, chosen) {
    const line = h(".line", {
      role: lineRole,
      class: chosen ? "chosen" : "",
      ...(lineRole === "listitem" ? {} : { "aria-selected": String(chosen) }),
      ...describe?.(item),
    });
    line.append(...draw(item, index).filter(Boolean));
    line.style.setProperty("height", `${height}px`);
    if (onpick)
      line.addEventListener("click", (event) => {
        if (event.target.closest("a, button")) return;
        const at = lines.get(key(item))?.index ?? index;
        move(at);
        onpick(item, at);
      });
    return line;
  }

  function move(to) {
    cursor = Math.max(0, Math.min(items.length - 1, to));
    made.scrollToItem(cursor);
    paint();
  }

  function press(event) {
    const pageful = Math.max(1, Math.floor(made.clientHeight / height) - 1);
    const to = {
      ArrowDown: cursor + 1,
      ArrowUp: cursor - 1,
      PageDown: cursor + pageful,
      PageUp: cursor - pageful,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to !== undefined && !event.altKey && !event.metaKey) {
      event.preventDefault();
      move(to);
    } else if (items[cursor] && event.key === "Enter" && onpick) onpick(items[cursor], cursor);
    else if (items[cursor] && onkey?.(event, items[cursor], cursor)) event.preventDefault();
  }

  made.show = (next) => {
    items = next;
    space.style.setProperty("height", `${items.length * height}px`);
    cursor = Math.min(cursor, items.length - 1);
    ask();
    return made;
  };
  made.redraw = () => {
    for (const { node } of lines.values()) node.remove();
    lines = new Map();
    ask();
  };
  made.moveTo = (index) => move(index);
  made.scrollToItem = (index) => {
    const top = index * height;
    if (top < made.scrollTop) made.scrollTop = top;
    else if (top + height > made.scrollTop + made.clientHeight) made.scrollTop = top + height - made.clientHeight;
  };
  return made;
}
