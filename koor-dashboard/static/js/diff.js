// Which lines differ: Myers' greedy algorithm, bounded.

// Beyond this many differing lines a difference is of no use, and the algorithm's memory grows with the square.
const MOST_EDITS = 2000;

/**
 * Compares two lists of lines. Gives back rows { kind: "same" | "changed", a, b } in order, where a and b are indices or
 * null, or null when they differ too much.
 */
export function diffLines(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const middle = myers(a.slice(start, a.length - tail), b.slice(start, b.length - tail));
  if (!middle) return null;
  const rows = [];
  for (let at = 0; at < start; at += 1) rows.push({ kind: "same", a: at, b: at });
  for (const { kind, a: left, b: right } of pair(middle)) {
    rows.push({ kind, a: left === null ? null : left + start, b: right === null ? null : right + start });
  }
  for (let at = tail; at > 0; at -= 1) rows.push({ kind: "same", a: a.length - at, b: b.length - at });
  return rows;
}

function myers(a, b) {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const reach = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const trace = [];
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && reach[middle + k - 1] < reach[middle + k + 1]);
      let x = down ? reach[middle + k + 1] : reach[middle + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(trace, a.length, b.length);
    }
  }
  return null;
}

function walkBack(trace, x, y) {
  const steps = [];
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const reach = trace[edits];
    const at = (k) => reach[k + edits + 1];
    const k = x - y;
    const before = k === -edits || (k !== edits && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const fromX = edits === 0 ? 0 : at(before);
    const fromY = edits === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) steps.push({ a: (x -= 1), b: (y -= 1) });
    if (edits === 0) break;
    if (x > fromX) steps.push({ a: (x -= 1), b: null });
    else steps.push({ a: null, b: (y -= 1) });
  }
  return steps.reverse();
}

// Removed and added lines that stand together are shown beside each other.
function pair(steps) {
  const rows = [];
  for (let at = 0; at < steps.length; ) {
    if (steps[at].a !== null && steps[at].b !== null) {
      rows.push({ kind: "same", ...steps[at] });
      at += 1;
      continue;
    }
    const gone = [];
    const come = [];
    for (; at < steps.length && (steps[at].a === null || steps[at].b === null); at += 1) {
      if (steps[at].a === null) come.push(steps[at].b);
      else gone.push(steps[at].a);
    }
    for (let row = 0; row < Math.max(gone.length, come.length); row += 1) {
      rows.push({ kind: "changed", a: gone[row] ?? null, b: come[row] ?? null });
    }
  }
  return rows;
}
