// Topic patterns: the dashboard reads them as the server does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { isGlob, matcher } from "../static/js/glob.js";

const { malformed, cases } = JSON.parse(
  readFileSync(new URL("../../koor-core/tests/patterns.json", import.meta.url), "utf8"),
);

test("malformed patterns are refused and match nothing", () => {
  for (const pattern of [...malformed, "x".repeat(1025)]) {
    assert.equal(isGlob(pattern), false, pattern);
    assert.equal(matcher(pattern)("a"), false, pattern);
  }
});

test("patterns match what the vectors say", () => {
  for (const { pattern, matches, others } of cases) {
    assert.equal(isGlob(pattern), true, pattern);
    for (const topic of matches) assert.equal(matcher(pattern)(topic), true, `${pattern} does not match ${topic}`);
    for (const topic of others) assert.equal(matcher(pattern)(topic), false, `${pattern} matches ${topic}`);
  }
});

test("one pattern of several is enough", () => {
  const matches = matcher(["a.*", "$state.*", "["]);
  assert.deepEqual(["a.b", "$state.x", "b", "$a.b"].map(matches), [true, true, false, false]);
});
