// Questions and forms above the page, as the browser's own <dialog>: it keeps the focus and closes by Escape.

import { h } from "../dom.js";
import { button } from "./basics.js";

/**
 * Opens a dialog. `body(close)` makes its content; `close(value)` ends it. The promise is that value, or undefined when
 * the visitor turned away.
 */
export function openDialog(title, body, { wide = false } = {}) {
  return new Promise((resolve) => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    let answer;
    const close = (value) => {
      answer = value;
      dialog.close();
    };
    const dialog = h(
      "dialog.dialog",
      { class: wide ? "wide" : "", "aria-labelledby": "dialog-title" },
      h(
        "header",
        h("h2.grow", { id: "dialog-title" }, title),
        button("", () => close(), { icon: "close", tone: "quiet", label: "Close" }),
      ),
      h(".body", body(close)),
    );
    dialog.addEventListener("close", () => {
      const toasts = dialog.querySelector(".toasts");
      if (toasts) document.body.append(toasts);
      dialog.remove();
      before?.focus?.();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus], .body input, .body textarea, .body select, .body .button")?.focus();
  });
}

/** Asks before something is lost. The promise is true only if the visitor pressed `action`. */
export async function confirm(title, text, action, { danger = true } = {}) {
  const answer = await openDialog(title, (close) =>
    h(
      ".stack",
      h("p.soft.data", text),
      h(
        ".form-foot",
        button("Cancel", () => close(false)),
        button(action, () => close(true), { tone: `primary ${danger ? "danger" : ""}` }),
      ),
    ),
  );
  return answer === true;
}
