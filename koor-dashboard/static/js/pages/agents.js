// Agents.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Agents"), empty("agents", "Nothing here yet"));
}
