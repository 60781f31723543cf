// Topic patterns, as the server reads them: * any run of characters, ? one, [a-z] and [^a-z] classes, \ escapes.

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
  if (pattern === "") return /^/;
  const chars = [...pattern];
  let regex = "";
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at];
    if (char === "*") regex += "[^]*";
    else if (char === "?") regex += "[^]";
    else if (char === "\\") {
      at += 1;
      if (at === chars.length) return null;
      regex += literal(chars[at]);
    } else if (char === "[") {
      const negated = chars[at + 1] === "^";
      let members = "";
      at += negated ? 2 : 1;
      const from = at;
      for (; at < chars.length && (chars[at] !== "]" || at === from); at += 1) {
        if (chars[at] === "\\") at += 1;
        if (at >= chars.length) return null;
        const range = chars[at] === "-" && at > from && chars[at + 1] !== "]";
        members += range ? "-" : literal(chars[at]);
      }
      if (at >= chars.length) return null;
      regex += `[${negated ? "^" : ""}${members}]`;
    } else regex += literal(char);
  }
  try {
    return new RegExp(`^${regex}$`, "u");
  } catch {
    return null;
  }
}

function literal(char) {
  return `\\u{${char.codePointAt(0).toString(16)}}`;
}
