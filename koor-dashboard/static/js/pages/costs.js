// Costs.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Costs"), empty("costs", "Nothing here yet"));
}
