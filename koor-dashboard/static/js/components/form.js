// Forms: fields described as data, checked before they are sent, with the server's refusal beside the button.

import { h, replace } from "../dom.js";
import { button } from "./basics.js";

let number = 0;

/**
 * A form. Each field: { name, label, type?, value?, hint?, required?, options?, placeholder?, rows?, mono?, wide?, json?,
 * list?, pattern?, check? }. `type` is text (default), textarea, select (with `options`: [value, label]), checkbox,
 * number, password, datetime-local, or hidden. `json` parses the text, `list` splits it at commas and lines, `check(value)`
 * gives back what is wrong with it. `onsubmit(values)` may throw an ApiError, which is shown.
 * `cancel()` adds a button that gives up.
 *
 * @param {object} options
 * @param {any[]} options.fields
 * @param {string} options.submit
 * @param {(values: any) => any} options.onsubmit
 * @param {() => any} [options.cancel]
 * @param {string} [options.tone]
 * @param {any} [options.children]
 * @param {boolean} [options.row]
 */
export function form({ fields, submit, onsubmit, cancel, tone = "primary", children = [], row = false }) {
  const inputs = new Map();
  const said = h(".grow", { role: "alert" });
  const send = button(submit, null, { tone });
  send.type = "submit";
  const made = h(
    "form.stack",
    { novalidate: true, onsubmit: handle, autocomplete: "off" },
    h(
      ".fields",
      fields.filter(({ type }) => type !== "hidden").map((field) => draw(field, inputs)),
    ),
    children,
    h(".form-foot", said, cancel && button("Cancel", cancel), send),
  );
  if (row) made.classList.add("in-row");

  async function handle(event) {
    event.preventDefault();
    replace(said);
    const values = read(fields, inputs);
    if (!values || send.disabled) return;
    send.disabled = true;
    try {
      await onsubmit(values);
    } catch (error) {
      replace(said, h(".problem", h("span", error.message, violations(error))));
      if (error.name !== "ApiError") throw error;
    } finally {
      send.disabled = false;
    }
  }
  made.inputs = inputs;
  return made;
}

function violations(error) {
  const list = error.body?.violations;
  return (
    Array.isArray(list) &&
    h(
      "ul",
      list.slice(0, 20).map(({ path, message }) => h("li", path ? `${path}: ${message}` : message)),
    )
  );
}

function draw(field, inputs) {
  const id = `field-${(number += 1)}`;
  const about = `${id}-about`;
  const shared = {
    id,
    name: field.name,
    required: field.required,
    placeholder: field.placeholder,
    "aria-describedby": about,
    class: field.mono || field.json ? "mono" : "",
    spellcheck: field.mono || field.json ? "false" : null,
    autofocus: field.autofocus,
    oninput: field.oninput && ((event) => field.oninput(event.target.value)),
    dir: "auto",
  };
  let input;
  if (field.type === "select") {
    input = h(
      "select.input",
      { ...shared, placeholder: null, dir: null },
      field.options.map(([value, text]) => h("option", { value }, text)),
    );
    input.value = field.value ?? field.options[0]?.[0] ?? "";
  } else if (field.type === "textarea") {
    input = h("textarea.input", { ...shared, rows: field.rows ?? 5 });
    input.value = field.value ?? "";
  } else if (field.type === "checkbox") {
    input = h("input", { ...shared, dir: null, type: "checkbox", checked: Boolean(field.value) });
  } else {
    input = h("input.input", {
      ...shared,
      type: field.type ?? "text",
      step: field.step,
      min: field.min,
      list: field.suggestions && `${id}-list`,
    });
    input.value = field.value ?? "";
  }
  const notes = h("div", { id: about }, field.hint && h("span.hint", field.hint));
  inputs.set(field.name, { input, notes, hint: field.hint });
  if (field.type === "checkbox") return h(".field.wide", h("label.check", input, field.label), notes);
  return h(
    ".field",
    { class: field.wide || field.type === "textarea" ? "wide" : "" },
    h("label", { for: id }, field.label),
    input,
    field.suggestions &&
      h(
        "datalist",
        { id: `${id}-list` },
        field.suggestions.map((value) => h("option", { value })),
      ),
    notes,
  );
}

function read(fields, inputs) {
  const values = {};
  let first = null;
  for (const field of fields) {
    if (field.type === "hidden") {
      values[field.name] = field.value;
      continue;
    }
    const { input, notes, hint } = inputs.get(field.name);
    const [value, problem] = parse(field, input);
    input.toggleAttribute("aria-invalid", false);
    replace(notes, problem ? h("span.wrong", problem) : hint && h("span.hint", hint));
    if (problem) {
      input.setAttribute("aria-invalid", "true");
      first ??= input;
    }
    values[field.name] = value;
  }
  first?.focus();
  return first ? null : values;
}

function parse(field, input) {
  if (field.type === "checkbox") return [input.checked];
  const text = field.type === "textarea" || field.type === "password" ? input.value : input.value.trim();
  if (field.required && !text.trim()) return [text, "Required."];
  let value = text;
  if (field.list)
    value = text
      .split(/[,\n]/)
      .map((item) => item.trim())
      .filter(Boolean);
  else if (field.type === "number") {
    if (text === "" && !input.validity.badInput) return [undefined];
    value = Number(text);
    if (!Number.isFinite(value) || input.validity.badInput) return [text, "This must be a number."];
  } else if (field.json && text.trim()) {
    try {
      value = JSON.parse(text);
    } catch (error) {
      return [text, error.message];
    }
  } else if (field.json) value = undefined;
  return [value, field.check?.(value)];
}
