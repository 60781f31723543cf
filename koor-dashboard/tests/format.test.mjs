// How numbers, sums, sizes and names are written.

import assert from "node:assert/strict";
import { test } from "node:test";

import { age, bytes, compact, count, hue, initials, money, percent, plural, shortId } from "../static/js/format.js";

test("numbers keep their digits until there are too many", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(compact(9999), "9,999");
  assert.equal(compact(12_345), "12.3K");
  assert.equal(plural(1, "agent"), "1 agent");
  assert.equal(plural(2, "entry", "entries"), "2 entries");
});

test("small sums keep their first digits", () => {
  assert.deepEqual([0, 0.0042, 0.0315, 0.5, 1.234, 1234.5].map(money), [
    "$0.00",
    "$0.0042",
    "$0.0315",
    "$0.50",
    "$1.23",
    "$1,234.50",
  ]);
});

test("sizes and shares are short", () => {
  assert.deepEqual([0, 999, 1000, 1500, 12_345_678].map(bytes), ["0 B", "999 B", "1.0 KB", "1.5 KB", "12 MB"]);
  assert.deepEqual([0, 0.01, 12.34, 99.96, 100].map(percent), ["0 %", "0 %", "12.3 %", "100 %", "100 %"]);
});

test("ages are rounded down", () => {
  const before = (seconds) => age(Date.now() - seconds * 1000 - 10);
  assert.deepEqual([0, 30, 61, 3599, 3600, 86_400 * 3].map(before), ["now", "30 s", "1 min", "59 min", "1 h", "3 d"]);
  assert.equal(age("no time"), "");
});

test("agents whose names differ by a number have different signs", () => {
  const signs = ["agent-2", "agent-10", "frontend", "truck wash", "a", "", "7", "Größe"].map((name) => initials(name));
  assert.deepEqual(signs, ["a2", "a10", "fr", "tw", "a", "?", "7", "Gr"]);
  const little = ["agent-2", "agent-10", "frontend", "agent-1234", ""].map((name) => initials(name, true));
  assert.deepEqual(little, ["2", "10", "f", "34", "?"]);
});

test("a name has one colour, and an id its first characters", () => {
  assert.equal(hue("frontend"), hue("frontend"));
  assert.ok(hue("x") >= 1 && hue("x") <= 6);
  assert.equal(shortId("0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11"), "0b3c8a9e");
  assert.equal(shortId("local"), "local");
});
