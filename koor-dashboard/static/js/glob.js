// Topic patterns, as the server reads them: * any run of characters, ? one, [a-z] and [^a-z] classes, \ escapes.
// koor-core/tests/patterns.json holds both to the same answers.

// As koor-core/src/pattern.rs has it.
const MOST_BYTES = 1024;

/** Whether a pattern is well-formed. */
export function isGlob(pattern) {
  return compile(pattern) !== null;
}

/** A function that says whether a topic matches any of the patterns. A malformed one matches nothing. */
export function matcher(patterns) {
  const compiled = [patterns].flat().map((pattern) => ({ system: pattern.startsWith("$"), regex: compile(pattern) }));
  return (topic) =>
    compiled.some(({ system, regex }) => regex !== null && (system || !topic.startsWith("$")) && regex.test(topic));
}

function compile(pattern) {
  if (new TextEncoder().encode(pattern).length > MOST_BYTES) return null;
  if (pattern === "") return /^/;
  const chars = [...pattern];
  let regex = "";
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at];
    if (char === "*") {
      // Several in a row are one, so that the regular expression does not try each split of them.
      if (chars[at - 1] !== "*" || regex.at(-1) !== "*") regex += "[\\s\\S]*";
    } else if (char === "?") {
      regex += "[\\s\\S]";
    } else if (char === "\\") {
      at += 1;
      if (at === chars.length) return null;
      regex += literal(chars[at]);
    } else if (char === "[") {
      const found = classAt(chars, at + 1);
      if (!found) return null;
      regex += found.regex;
      at = found.end;
    } else {
      regex += literal(char);
    }
  }
  return new RegExp(`^${regex}$`, "u");
}

/** The class whose members begin there, and where its bracket closes; null when it is malformed. */
function classAt(chars, at) {
  const negated = chars[at] === "^";
  if (negated) at += 1;
  let members = "";
  while (chars[at] !== "]") {
    const low = memberAt(chars, at);
    if (!low) return null;
    at = low.next;
    members += literal(low.char);
    if (chars[at] !== "-") continue;
    const high = memberAt(chars, at + 1);
    if (!high || high.char.codePointAt(0) < low.char.codePointAt(0)) return null;
    at = high.next;
    members += `-${literal(high.char)}`;
  }
  return members ? { regex: `[${negated ? "^" : ""}${members}]`, end: at } : null;
}

/** A member of a class, and where the next one begins; - and ] need a backslash. */
function memberAt(chars, at) {
  if (chars[at] === "\\") return at + 1 < chars.length ? { char: chars[at + 1], next: at + 2 } : null;
  if (at >= chars.length || chars[at] === "-" || chars[at] === "]") return null;
  return { char: chars[at], next: at + 1 };
}

function literal(char) {
  return `\\u{${char.codePointAt(0).toString(16)}}`;
}
