// The filter of the audit log knows every action that the server writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ACTIONS } from "../static/js/audit-actions.js";

test("the actions of the filter are those of the server", () => {
  const source = readFileSync(new URL("../../koor-core/src/domain/audit.rs", import.meta.url), "utf8");
  const written = [...source.matchAll(/\b[A-Z]\w+ = "([a-z]+\.[a-z]+)"/g)].map(([, action]) => action);
  assert.ok(written.length > 40, "the actions are not where they were");
  assert.deepEqual([...ACTIONS].sort(), written.sort());
});
