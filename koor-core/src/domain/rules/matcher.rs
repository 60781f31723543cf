//! Regexes over a file: line by line, or over the whole, and never for long.
//!
//! The meaning of a pattern is what fancy-regex makes of it on each line by itself. Most patterns need nothing
//! that only fancy-regex has; for those, a [`Scanner`] finds the same lines in one pass over the whole content.

use std::sync::OnceLock;

use super::{
    content::{Content, Lines},
    scanner::Scanner,
};

/// A longer pattern is a program, not a rule.
const MAX_PATTERN: usize = 8192;

/// The size that a compiled pattern may have: a few Unicode classes repeated a hundred times.
pub(super) const MAX_COMPILED: usize = 4 << 20;

/// Sizes that patterns are told apart by: what most have, what a few Unicode classes need, and the most.
const SIZES: [usize; 3] = [64 << 10, 512 << 10, MAX_COMPILED];

/// How often a pattern may backtrack on one line, first cheaply, then more and more patiently. The first limit
/// holds for every line; what the others may cost together is bounded by [`PATIENCE`].
const FIRST_LIMIT: usize = 1_000;
const RETRY_LIMITS: [usize; 2] = [30_000, 1_000_000];

/// How often a pattern may backtrack over one content, all retries taken together: about half a second.
const PATIENCE: usize = 20_000_000;

/// How often a pattern may backtrack in the one search for something that must be there.
const WHOLE_LIMIT: usize = 5_000_000;

/// A pattern, compiled to be looked for on each line.
#[derive(Debug)]
pub(super) struct LineMatcher {
    pattern: String,
    size: usize,
    /// Not there before it is needed: where a scanner finds no line, it never is.
    first: OnceLock<Option<fancy_regex::Regex>>,
    retries: [OnceLock<Option<fancy_regex::Regex>>; RETRY_LIMITS.len()],
    scanner: Option<Scanner>,
}

/// A pattern, compiled to be looked for anywhere, its anchors those of lines.
#[derive(Debug)]
pub(super) struct WholeMatcher {
    regex: fancy_regex::Regex,
    size: usize,
}

/// What a search over lines comes upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding<'a> {
    /// The first match on a line; lines count from 1.
    Match { line: usize, text: &'a str },
    /// The pattern backtracked too much on this line, and the search ended there.
    GaveUp { line: usize },
    /// The time for all rules was up at this line.
    TimeIsUp { line: usize },
}

/// The backtracking limit was reached before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GaveUp;

/// How large the pattern compiles for lines, at most; if it does not, why.
pub(super) fn check_lines(pattern: &str) -> Result<usize, String> {
    build(pattern, FIRST_LIMIT, Anchors::Text).map(|(_, size)| size)
}

/// How large the pattern compiles for a whole content, at most; if it does not, why.
pub(super) fn check_whole(pattern: &str) -> Result<usize, String> {
    build(pattern, WHOLE_LIMIT, Anchors::Lines).map(|(_, size)| size)
}

/// What `^` and `$` stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchors {
    Text,
    Lines,
}

/// Compiles a pattern; with which of the sizes it fits.
fn build(
    pattern: &str,
    backtrack_limit: usize,
    anchors: Anchors,
) -> Result<(fancy_regex::Regex, usize), String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is {} bytes long, at most {MAX_PATTERN} are allowed", pattern.len()));
    }
    let mut sizes = SIZES.into_iter().peekable();
    loop {
        let size = sizes.next().unwrap_or(MAX_COMPILED);
        let built = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(backtrack_limit)
            .delegate_size_limit(size)
            .multi_line(anchors == Anchors::Lines)
            .crlf(anchors == Anchors::Lines)
            .build();
        match built {
            Ok(regex) => return Ok((regex, size)),
            Err(error) if sizes.peek().is_some() && is_too_large(&error) => {}
            Err(error) => return Err(what_is_wrong(&error)),
        }
    }
}

fn is_too_large(error: &fancy_regex::Error) -> bool {
    if let fancy_regex::Error::CompileError(error) = error
        && let fancy_regex::CompileError::InnerError(inner) = &**error
    {
        return inner.size_limit().is_some();
    }
    false
}

/// What is wrong with the pattern itself: the outer errors only say that a regex was being built.
fn what_is_wrong(error: &fancy_regex::Error) -> String {
    if let fancy_regex::Error::CompileError(error) = error
        && let fancy_regex::CompileError::InnerError(inner) = &**error
    {
        if inner.size_limit().is_some() {
            return format!("it compiles to more than {MAX_COMPILED} bytes");
        }
        match inner.syntax_error() {
            Some(regex_syntax::Error::Parse(error)) => return error.kind().to_string(),
            Some(regex_syntax::Error::Translate(error)) => return error.kind().to_string(),
            Some(_) | None => {}
        }
    }
    error.to_string()
}

impl WholeMatcher {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        build(pattern, WHOLE_LIMIT, Anchors::Lines).map(|(regex, size)| Self { regex, size })
    }

    pub(super) fn is_in(&self, content: &str) -> Result<bool, GaveUp> {
        self.regex.is_match(content).map_err(|_| GaveUp)
    }
}

impl LineMatcher {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let (mut size, first) = (SIZES[0], OnceLock::new());
        let scanner = SIZES.into_iter().find_map(|within| {
            size = within;
            Scanner::of(pattern, within)
        });
        if scanner.is_none() {
            let (regex, needed) = build(pattern, FIRST_LIMIT, Anchors::Text)?;
            size = needed;
            first.get_or_init(|| Some(regex));
        }
        let retries = [const { OnceLock::new() }; RETRY_LIMITS.len()];
        Ok(Self { pattern: pattern.to_owned(), size, first, retries, scanner })
    }

    /// The first match on each line that has one, in order. A newline ends a line, and a carriage return before
    /// it, or before the end, is not part of it.
    pub(super) fn search<'a>(
        &'a self,
        content: &'a Content<'a>,
        still: &'a dyn Fn() -> bool,
    ) -> impl Iterator<Item = Finding<'a>> {
        let scanner = self.scanner.as_ref().filter(|scanner| scanner.may_read(content));
        let lines = Lines::of(content.text);
        Search { matcher: self, scanner, lines, still, patience: PATIENCE, ended: false }
    }

    fn find<'t>(&self, line: &'t str, patience: &mut usize) -> Result<Option<&'t str>, GaveUp> {
        let first = self.first.get_or_init(|| self.build(FIRST_LIMIT)).as_ref().ok_or(GaveUp)?;
        if let Ok(found) = first.find(line) {
            return Ok(found.map(|found| found.as_str()));
        }
        for (limit, regex) in RETRY_LIMITS.into_iter().zip(&self.retries) {
            *patience = patience.checked_sub(limit).ok_or(GaveUp)?;
            let regex = regex.get_or_init(|| self.build(limit));
            if let Ok(found) = regex.as_ref().ok_or(GaveUp)?.find(line) {
                return Ok(found.map(|found| found.as_str()));
            }
        }
        Err(GaveUp)
    }

    fn build(&self, limit: usize) -> Option<fancy_regex::Regex> {
        build(&self.pattern, limit, Anchors::Text).ok().map(|(regex, _)| regex)
    }
}

/// What is kept compiled, and what it takes up.
pub(super) trait Compiled {
    /// In bytes, roughly.
    fn weight(&self) -> usize;
}

impl Compiled for LineMatcher {
    fn weight(&self) -> usize {
        weight(self.size)
    }
}

impl Compiled for WholeMatcher {
    fn weight(&self) -> usize {
        weight(self.size)
    }
}

/// What a pattern of that size takes up once it has been used: the engines keep as much again for themselves, and those
/// of larger ones grow with what they read.
fn weight(size: usize) -> usize {
    if size == SIZES[0] { size } else { 3 * size }
}

struct Search<'a> {
    matcher: &'a LineMatcher,
    scanner: Option<&'a Scanner>,
    lines: Lines<'a>,
    still: &'a dyn Fn() -> bool,
    patience: usize,
    ended: bool,
}

/// How often a search looks at the clock: every so many lines.
const LOOK: usize = 256;

impl<'a> Iterator for Search<'a> {
    type Item = Finding<'a>;

    fn next(&mut self) -> Option<Finding<'a>> {
        while !self.ended {
            if let Some(scanner) = self.scanner {
                self.lines.skip_to(scanner.find_from(self.lines.text, self.lines.at)?);
            }
            let (line, text) = self.lines.next()?;
            if line % LOOK == 0 && !(self.still)() {
                self.ended = true;
                return Some(Finding::TimeIsUp { line });
            }
            match self.matcher.find(text, &mut self.patience) {
                Ok(Some(text)) => return Some(Finding::Match { line, text }),
                Ok(None) => {}
                Err(GaveUp) => {
                    self.ended = true;
                    return Some(Finding::GaveUp { line });
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: each line by itself.
    fn line_by_line(pattern: &str, content: &str) -> Vec<(usize, String)> {
        let regex = fancy_regex::Regex::new(pattern).unwrap();
        let lines = content.strip_suffix('\n').unwrap_or(content).split('\n').enumerate();
        lines
            .filter(|_| !content.is_empty())
            .filter_map(|(index, line)| {
                let found = regex.find(line.strip_suffix('\r').unwrap_or(line)).unwrap()?;
                Some((index + 1, found.as_str().to_owned()))
            })
            .collect()
    }

    fn searched(pattern: &str, content: &str) -> Vec<(usize, String)> {
        let matcher = LineMatcher::compile(pattern).unwrap();
        matcher
            .search(&Content::new(content), &|| true)
            .map(|finding| match finding {
                Finding::Match { line, text } => (line, text.to_owned()),
                Finding::GaveUp { line } | Finding::TimeIsUp { line } => panic!("gave up on line {line}"),
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn scanning_finds_what_going_line_by_line_finds(
            flags in prop_oneof![5 => Just(""), 1 => Just("(?i)"), 1 => Just("(?s)"), 1 => Just("(?m)"), 1 => Just("(?x)")],
            pattern in r"(\((a|b|\?i:a|\?:b|\?i\)a|\?s:\.|\^|a\|b)\)|[abB.ü ]|\.[*+?]|\^|\$|\||\\b|\\B|\\s|\\n|\\r|\\A|\\z|[^\n]|\[\^a\][*]?|\\w\+\+|\(\?=a\)|\(\?<b\)|\\\(\?|\\<|a\{,2\}){0,6}",
            content in "([abB ü]{0,3}(\n|\r\n|\n\n|\r)?){0,6}",
        ) {
            let pattern = format!("{flags}{pattern}");
            prop_assume!(fancy_regex::Regex::new(&pattern).is_ok());
            prop_assert_eq!(searched(&pattern, &content), line_by_line(&pattern, &content), "{}", pattern);
        }
    }

    #[test]
    fn ordinary_patterns_are_scanned_for() {
        let scanned = |pattern| LineMatcher::compile(pattern).unwrap().scanner.is_some();
        for pattern in [
            r"console\.log\(",
            r"(?i)todo|fixme",
            r"^\s*#include",
            r"\bfoo\(?\b",
            "(?P<x>a)(?:b)(?i:c)",
            "[^x]*$",
        ] {
            assert!(scanned(pattern), "{pattern}");
        }
        for pattern in [r"\Aa", r"a\z", "(?=a)", "(a(?i)b)c", r"(a)\1", "(?x)a b"] {
            assert!(!scanned(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_class_that_takes_newlines_costs_no_quadratic_time() {
        let content = format!("{}bar", "foo\n".repeat(200_000));
        assert_eq!(searched(r"foo[^x]*bar", &content), []);
    }
}
