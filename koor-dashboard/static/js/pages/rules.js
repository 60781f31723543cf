// Rules.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Rules"), empty("rules", "Nothing here yet"));
}
