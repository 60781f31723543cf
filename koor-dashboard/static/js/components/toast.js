// Short words about what just happened.

import { h } from "../dom.js";
import { button } from "./basics.js";

const STAYS = 5000;

function region() {
  let found = document.querySelector(".toasts");
  if (!found) {
    found = h(".toasts", { role: "status", "aria-live": "polite" });
    document.body.append(found);
  }
  // Above a dialog that is open, too.
  const host = document.querySelector("dialog[open]") ?? document.body;
  if (found.parentNode !== host) host.append(found);
  return found;
}

/** Says what was done. `tone`: "" (done), "bad" (failed; stays until closed), "note". */
export function toast(text, tone = "") {
  const made = h(
    ".toast",
    { class: tone },
    h("span", text),
    button("", () => made.remove(), { icon: "close", tone: "quiet", little: true, label: "Close" }),
  );
  region().append(made);
  if (tone !== "bad") setTimeout(() => made.remove(), STAYS);
}

/** Does the work and says what happened, either way. Gives back whether it was done. */
export async function attempt(work, done) {
  try {
    const result = await work();
    toast(typeof done === "function" ? done(result) : done);
    return true;
  } catch (error) {
    toast(error.message, "bad");
    if (error.name !== "ApiError") throw error;
    return false;
  }
}
