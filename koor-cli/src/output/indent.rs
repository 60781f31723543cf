//! JSON made readable: only the spaces between its parts change, so numbers keep every digit and fields their order.

use serde::de::IgnoredAny;

/// JSON with a line for each part, or nothing if it is no JSON.
pub(crate) fn indented(json: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(json).ok()?;
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut parts = Parts(json);
    let mut next = parts.next();
    while let Some(part) = next {
        next = parts.next();
        match part {
            b"{" | b"[" => {
                out.extend_from_slice(part);
                // What is empty stays on its line.
                if !matches!(next, Some(b"}" | b"]")) {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            b"}" | b"]" => {
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    new_line(&mut out, depth);
                }
                out.extend_from_slice(part);
            }
            b"," => {
                out.push(b',');
                new_line(&mut out, depth);
            }
            b":" => out.extend_from_slice(b": "),
            scalar => out.extend_from_slice(scalar),
        }
    }
    Some(out)
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b' ', 2 * depth));
}

/// The parts of valid JSON: signs, strings, and whatever stands between them.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let json = self.0.trim_ascii_start();
        let length = match json.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => string_length(json),
            _ => json
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte))
                .unwrap_or(json.len()),
        };
        let (part, rest) = json.split_at(length);
        self.0 = rest;
        Some(part)
    }
}

/// The length of the string that valid JSON begins with, its quotes included.
fn string_length(json: &[u8]) -> usize {
    let mut escaped = false;
    let end = json.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        String::from_utf8(indented(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn parts_stand_on_lines_of_their_own() {
        assert_eq!(
            text(r#"{"b":[1,{"x":null}],"a":{}, "c":[ ]}"#),
            "{\n  \"b\": [\n    1,\n    {\n      \"x\": null\n    }\n  ],\n  \"a\": {},\n  \"c\": []\n}"
        );
        assert_eq!(text(" 7 "), "7");
    }

    #[test]
    fn no_digit_and_no_sign_in_a_string_changes() {
        let exact = r#"[123456789012345678901234567890.10, 1e400, "a\\\", {}[]:\"", "é\u00e9", "\\"]"#;
        let pretty = text(exact);
        assert_eq!(pretty.replace("\n  ", " ").replace("[ ", "[").replace("\n]", "]"), exact);
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        for text in ["", "{", "hello", "{} {}", "\u{0}"] {
            assert_eq!(indented(text.as_bytes()), None, "{text:?}");
        }
    }
}
