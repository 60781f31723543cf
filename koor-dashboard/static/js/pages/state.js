// State.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("State"), empty("state", "Nothing here yet"));
}
