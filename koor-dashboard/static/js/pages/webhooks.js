// Webhooks.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Webhooks"), empty("webhooks", "Nothing here yet"));
}
