// Templates.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Templates"), empty("templates", "Nothing here yet"));
}
