//! Quick passes over a whole content, for the patterns that allow it.

use regex_syntax::{
    ParserBuilder,
    hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look},
};

use super::content::Content;

/// A regex that finds, in one pass over a whole content, the lines on which a pattern matches.
#[derive(Debug)]
pub(super) struct Scanner {
    regex: regex::Regex,
    ascii_only: bool,
}

impl Scanner {
    /// The scanner of a pattern, if it can have one within that size.
    ///
    /// That takes a pattern that the plain regex parser reads as fancy-regex does, and anchors that mean the same
    /// at the edge of a line as at the edge of a text. Newlines are taken out of its classes, so that no match
    /// leaves its line: otherwise each search might run to the end of the content, and all of them together
    /// would take quadratic time.
    pub(super) fn of(pattern: &str, size: usize) -> Option<Self> {
        if !reads_alike(pattern) {
            return None;
        }
        let hir = ParserBuilder::new().multi_line(true).crlf(true).build().parse(pattern).ok()?;
        let looks = hir.properties().look_set();
        let of_text = [Look::Start, Look::End, Look::StartLF, Look::EndLF];
        if of_text.into_iter().any(|look| looks.contains(look)) {
            return None;
        }
        let plain = within_lines(&hir)?.to_string();
        let regex = regex::RegexBuilder::new(&plain).size_limit(size).build().ok()?;
        Some(Self { regex, ascii_only: looks.contains_word_unicode() })
    }

    /// Whether it finds the right lines in this content, and is the quicker way to.
    pub(super) fn may_read(&self, content: &Content<'_>) -> bool {
        // A carriage return inside a line is a line end to the scanner. And Unicode word boundaries send its
        // engine on a path far slower than going line by line as soon as there is one character beyond ASCII.
        !content.lone_returns && (content.ascii || !self.ascii_only)
    }

    /// Where the next match begins, looking from this place on.
    pub(super) fn find_from(&self, text: &str, at: usize) -> Option<usize> {
        self.regex.find_at(text, at).map(|found| found.start())
    }
}

/// Whether both parsers take the groups of this pattern for the same: to fancy-regex, a flag set inside a group
/// outlives it, to the plain parser it does not.
fn reads_alike(pattern: &str) -> bool {
    let is_flags = |flags: &str| flags.bytes().all(|flag| b"ims".contains(&flag));
    let body = pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'))
        .filter(|(flags, _)| is_flags(flags))
        .map_or(pattern, |(_, body)| body);
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if c == '('
            && !escaped
            && let Some(group) = body[at + 1..].strip_prefix('?')
        {
            let named = group.starts_with("P<") || (group.starts_with('<') && !group.starts_with(['=', '!']));
            if !named && !group.split_once(':').is_some_and(|(flags, _)| is_flags(flags)) {
                return false;
            }
        }
        escaped = c == '\\' && !escaped;
    }
    true
}

/// The same expression without whatever could match a line end; `None` where it matches bytes, not characters.
fn within_lines(hir: &Hir) -> Option<Hir> {
    let all = |parts: &[Hir]| parts.iter().map(within_lines).collect::<Option<Vec<_>>>();
    Some(match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Literal(literal) if literal.0.iter().any(|byte| b"\r\n".contains(byte)) => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(Class::Bytes(_)) => return None,
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.difference(&ClassUnicode::new([
                ClassUnicodeRange::new('\n', '\n'),
                ClassUnicodeRange::new('\r', '\r'),
            ]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Repetition(repetition) => Hir::repetition(repetition.with(within_lines(&repetition.sub)?)),
        HirKind::Capture(capture) => within_lines(&capture.sub)?,
        HirKind::Concat(parts) => Hir::concat(all(parts)?),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)?),
    })
}
