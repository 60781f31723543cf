// Audit.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Audit"), empty("audit", "Nothing here yet"));
}
