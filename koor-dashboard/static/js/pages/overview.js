// Overview.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Overview"), empty("overview", "Nothing here yet"));
}
