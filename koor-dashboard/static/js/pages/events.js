// Events.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Events"), empty("events", "Nothing here yet"));
}
