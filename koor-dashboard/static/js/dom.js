// The one place where elements are made. Data becomes text nodes and attributes, never markup; the server's
// Content-Security-Policy (trusted-types 'none') makes the browser refuse any other way.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element: h("a.button", { href, onclick, class, aria-… }, child, [children], "text").
 * The name may carry classes. A property that is null, undefined or false is left out; true is an empty attribute;
 * a function is a listener. Children may be nodes, texts, numbers, lists of them; null and false are skipped.
 *
 * @param {string} name
 * @param {any} [props]
 * @param {...any} children
 * @returns {any} the element: pages keep what they need to know of it on it
 */
export function h(name, props, ...children) {
  return build((tag) => document.createElement(tag), name, props, children);
}

/**
 * Makes an element of an SVG picture, as h does.
 *
 * @param {string} name
 * @param {any} [props]
 * @param {...any} children
 * @returns {any}
 */
export function svg(name, props, ...children) {
  return build((tag) => document.createElementNS(SVG, tag), name, props, children);
}

function build(make, name, props, children) {
  if (props instanceof Node || typeof props !== "object" || Array.isArray(props)) {
    children.unshift(props);
    props = null;
  }
  const [tag, ...classes] = name.split(".");
  const element = make(tag || "div");
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const key in props) set(element, key, props[key]);
  append(element, children);
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(key.slice(2), value);
  else if (key === "class") element.classList.add(...value.split(" ").filter(Boolean));
  else if (key === "style") for (const name in value) element.style.setProperty(name, value[name]);
  else if (key === "value" || key === "checked" || key === "selected") element[key] = value;
  else if (key === "href") element.setAttribute(key, safe(String(value)));
  else element.setAttribute(key, value === true ? "" : String(value));
}

/** Addresses come from data, too: only those lead somewhere that can't run as script. */
function safe(href) {
  return /^(https?:|\/|#|\?|blob:)/i.test(href) ? href : "#";
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === true) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts these children in the place of all that were there. */
export function replace(element, ...children) {
  const made = document.createDocumentFragment();
  append(made, children);
  element.replaceChildren(made);
  return element;
}

/** Sets a text only if it differs: setting it anyway would cost a layout, and a screen reader's patience. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Keeps the children of an element in step with a list, moving and making as few as it can, so that focus, selection
 * and scroll positions stay. `draw(item, node)` gets the node drawn before, or undefined, and returns the node to show; it
 * is called only for items that are not the same object as last time.
 */
export function keyed(element, key, draw) {
  let shown = new Map();
  return (items) => {
    const next = new Map();
    let place = element.firstChild;
    for (const item of items) {
      const id = key(item);
      if (next.has(id)) continue;
      const before = shown.get(id);
      let node = before?.node;
      if (!before || before.item !== item) {
        const drawn = draw(item, node);
        if (node && drawn !== node) {
          if (place === node) place = drawn;
          node.replaceWith(drawn);
        }
        node = drawn;
      }
      next.set(id, { item, node });
      shown.delete(id);
      if (node === place) place = place.nextSibling;
      else element.insertBefore(node, place);
    }
    for (const { node } of shown.values()) node.remove();
    shown = next;
  };
}
