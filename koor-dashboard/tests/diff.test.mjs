// Which lines differ.

import assert from "node:assert/strict";
import { test } from "node:test";

import { diffLines } from "../static/js/diff.js";

/** A row as text: "=x" the same, "-x +y" changed. */
function rows(before, after) {
  const [a, b] = [before.split(""), after.split("")];
  const found = diffLines(a, b);
  return found.map((row) => {
    if (row.kind === "same") {
      assert.equal(a[row.a], b[row.b]);
      return `=${a[row.a]}`;
    }
    return [row.a !== null && `-${a[row.a]}`, row.b !== null && `+${b[row.b]}`].filter(Boolean).join(" ");
  });
}

test("equal texts have no changed row", () => {
  assert.deepEqual(rows("abc", "abc"), ["=a", "=b", "=c"]);
  assert.deepEqual(diffLines([], []), []);
});

test("lines that come, go and change are told apart", () => {
  assert.deepEqual(rows("abc", "abxc"), ["=a", "=b", "+x", "=c"]);
  assert.deepEqual(rows("abc", "ac"), ["=a", "-b", "=c"]);
  assert.deepEqual(rows("abc", "axc"), ["=a", "-b +x", "=c"]);
  assert.deepEqual(rows("", "ab"), ["+a", "+b"]);
  assert.deepEqual(rows("ab", ""), ["-a", "-b"]);
});

test("no line is lost, in texts of any shape", () => {
  let seed = 7;
  const next = (below) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  for (let round = 0; round < 300; round += 1) {
    const text = () => Array.from({ length: next(12) }, () => "abc"[next(3)]);
    const [a, b] = [text(), text()];
    const found = diffLines(a, b);
    const left = found.filter((row) => row.a !== null).map((row) => row.a);
    const right = found.filter((row) => row.b !== null).map((row) => row.b);
    assert.deepEqual(left, [...a.keys()], `${a} to ${b}`);
    assert.deepEqual(right, [...b.keys()], `${a} to ${b}`);
    for (const row of found) if (row.kind === "same") assert.equal(a[row.a], b[row.b]);
  }
});

test("texts that differ too much are not compared", () => {
  const many = (word) => Array.from({ length: 3000 }, (_, n) => `${word} ${n}`);
  assert.equal(diffLines(many("a"), many("b")), null);
});
