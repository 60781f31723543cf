// Compliance.

import { empty, pageHead } from "../components/basics.js";

export function open({ root }) {
  root.append(pageHead("Compliance"), empty("compliance", "Nothing here yet"));
}
