// Specs & contracts.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Specs & contracts"), empty("specs", "Nothing here yet"));
}
