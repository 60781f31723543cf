//! Patterns over topics and file names: globs that never take long.

mod positions;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use self::positions::Positions;
use crate::{error::Invalid, ids::Topic, schema::describe};

/// Four times the longest topic: enough for any honest glob, and it bounds what a match can cost.
const MAX_PATTERN: usize = 1024;

/// What the patterns of one subscriber may come to, in bytes: each is held against every event.
const MAX_PATTERNS: usize = 16 << 10;

/// With fewer tokens times characters, trying from left to right is quicker than anything that has to be set up.
const TRIED: usize = 1024;

/// A glob over a whole string.
///
/// `*` is any run of characters, dots and slashes included; `?` is one character; `[a-z]` and `[^a-z]` are
/// classes; `\` takes the next character as it is. The empty pattern is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    written: Box<str>,
    tokens: Box<[Token]>,
    literal: Option<Box<str>>,
}

/// What one part of a glob takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// Any run of characters.
    Run,
    /// Any one character.
    One,
    /// This character.
    Char(char),
    /// A character in one of the ranges, or in none of them.
    /// The ranges are in order and apart.
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Run => false,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Class { negated, ranges } => {
                let after = ranges.partition_point(|&(low, _)| low <= c);
                ranges[..after].last().is_some_and(|&(_, high)| c <= high) != *negated
            }
        }
    }
}

/// A glob. Of ranges in classes, which must not run backwards, it names those that surely don't.
const GLOB: &str = concat!(
    r"^([^\[\\]|\\[^\n]|",
    r"\[\^?((([0-9]-9|0-[0-9]|[a-z]-z|a-[a-z]|[A-Z]-Z|A-[A-Z]))|[^\]\\^-]|\\[^\n])+\])*$",
);

describe!(Pattern: {"type": "string", "maxLength": 1024, "pattern": GLOB});

impl Pattern {
    /// Reads a glob.
    ///
    /// # Errors
    /// When it is malformed or over 1024 bytes long; the text says what is wrong, and where.
    pub fn new(written: impl AsRef<str>) -> Result<Self, Invalid> {
        let written = written.as_ref();
        if written.len() > MAX_PATTERN {
            return Err(Invalid::new(format!(
                "invalid pattern: it is {} bytes long, at most {MAX_PATTERN} are allowed",
                written.len()
            )));
        }
        let written = if written.is_empty() { "*" } else { written };
        let tokens = Parser::new(written).tokens()?;
        let literal: Option<String> = tokens
            .iter()
            .map(|token| match token {
                Token::Char(c) => Some(*c),
                Token::Run | Token::One | Token::Class { .. } => None,
            })
            .collect();
        Ok(Self {
            written: written.into(),
            tokens: tokens.into_boxed_slice(),
            literal: literal.map(String::into_boxed_str),
        })
    }

    /// Whether the whole text is of this shape.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matches_indexed(text, &mut None)
    }

    /// As [`matches`](Self::matches), for many patterns and one text: what the first that needs it finds out about the
    /// text is kept for the others.
    fn matches_indexed(&self, text: &str, positions: &mut Option<Positions>) -> bool {
        if let Some(literal) = &self.literal {
            return **literal == *text;
        }
        if self.is_simple() || self.tokens.len().saturating_mul(text.len()) <= TRIED {
            return self.tried(text);
        }
        positions.get_or_insert_with(|| Positions::of(text)).match_all(&self.tokens)
    }

    /// Whether the only run, if there is one, comes last, so that nothing need ever be tried twice.
    fn is_simple(&self) -> bool {
        !self.tokens[..self.tokens.len() - 1].contains(&Token::Run)
    }

    /// How long it can take to hold this against a topic, beside other patterns.
    fn cost(&self) -> usize {
        if self.is_simple() { 1 } else { self.tokens.len() }
    }

    /// Tries from left to right.
    fn tried(&self, text: &str) -> bool {
        let mut token = 0;
        let mut rest = text.chars();
        // Only the last run need ever be tried longer: whatever an earlier one could still take, this one can
        // take as well. That is what keeps the time within pattern times text.
        let mut retry = None;
        loop {
            let matched = match self.tokens.get(token) {
                Some(Token::Run) if token + 1 == self.tokens.len() => return true,
                Some(Token::Run) => {
                    retry = Some((token + 1, rest.clone()));
                    true
                }
                Some(single) => rest.next().is_some_and(|c| single.takes(c)),
                None if rest.as_str().is_empty() => return true,
                None => false,
            };
            if matched {
                token += 1;
                continue;
            }
            let Some((after, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            token = *after;
            rest = from.clone();
        }
    }

    /// The glob as it was written; `*` where nothing was.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The one text that matches, when there is but one: a pattern without wildcards, its escapes taken out.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.literal.as_deref()
    }

    /// What it takes, part by part.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether it asks for system topics: it is itself written with a `$` first.
    #[must_use]
    pub fn matches_system(&self) -> bool {
        self.written.starts_with('$')
    }
}

/// Reads a glob from left to right and knows, for messages, at which character it is.
struct Parser<'a> {
    written: &'a str,
    chars: std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>,
}

impl<'a> Parser<'a> {
    fn new(written: &'a str) -> Self {
        Self { written, chars: written.chars().enumerate().peekable() }
    }

    fn tokens(mut self) -> Result<Vec<Token>, Invalid> {
        let mut tokens = Vec::new();
        while let Some((at, c)) = self.chars.next() {
            match c {
                '*' if tokens.last() == Some(&Token::Run) => {}
                '*' => tokens.push(Token::Run),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(self.class(at)?),
                '\\' => tokens.push(Token::Char(self.escaped(at)?)),
                c => tokens.push(Token::Char(c)),
            }
        }
        Ok(tokens)
    }

    fn class(&mut self, opened: usize) -> Result<Token, Invalid> {
        let negated = self.chars.next_if(|&(_, c)| c == '^').is_some();
        let mut ranges = Vec::new();
        while self.chars.next_if(|&(_, c)| c == ']').is_none() {
            let (at, low) = self.member(opened)?;
            let high = match self.chars.next_if(|&(_, c)| c == '-') {
                Some(_) => self.member(opened)?.1,
                None => low,
            };
            if high < low {
                return Err(self.malformed(at, format_args!("the range {low}-{high} runs backwards")));
            }
            ranges.push((low, high));
        }
        if ranges.is_empty() {
            return Err(self.malformed(opened, format_args!("the class is empty")));
        }
        ranges.sort_unstable();
        ranges.dedup_by(|(low, high), (_, before)| {
            let overlaps = *low <= *before;
            if overlaps {
                *before = (*before).max(*high);
            }
            overlaps
        });
        Ok(Token::Class { negated, ranges: ranges.into_boxed_slice() })
    }

    fn member(&mut self, opened: usize) -> Result<(usize, char), Invalid> {
        match self.chars.next() {
            Some((at, '\\')) => Ok((at, self.escaped(at)?)),
            Some((at, c @ ('-' | ']'))) => {
                Err(self.malformed(at, format_args!("write \\{c} for a {c} of its own in a class")))
            }
            Some((at, c)) => Ok((at, c)),
            None => Err(self.malformed(opened, format_args!("the class is not closed"))),
        }
    }

    fn escaped(&mut self, backslash: usize) -> Result<char, Invalid> {
        match self.chars.next() {
            Some((_, c)) => Ok(c),
            None => Err(self.malformed(backslash, format_args!("nothing follows the backslash"))),
        }
    }

    fn malformed(&self, at: usize, what: fmt::Arguments<'_>) -> Invalid {
        Invalid::new(format!("invalid pattern {:?}: {what}, at character {}", self.written, at + 1))
    }
}

impl TryFrom<String> for Pattern {
    type Error = Invalid;

    fn try_from(written: String) -> Result<Self, Invalid> {
        Self::new(written)
    }
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(written: &str) -> Result<Self, Invalid> {
        Self::new(written)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.written.into()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Which topics a subscriber wants: those that any of its patterns matches.
///
/// System topics are matched only by patterns that begin with `$` themselves, so that `*` stays what it always
/// was. Without patterns: every topic that is not a system topic.
///
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicFilter {
    patterns: Arc<[Pattern]>,
    cost: usize,
}

/// Which kinds of topic a filter can match at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Only what clients publish.
    User,
    /// Only what the server says of changes.
    System,
    /// Either.
    Both,
}

impl TopicFilter {
    /// The filter of these patterns.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let cost = patterns.iter().map(Pattern::cost).sum();
        Self { patterns: patterns.into(), cost }
    }

    /// The filter of every topic, those of the server included.
    #[must_use]
    pub fn everything() -> Self {
        let pattern = |written: &str, tokens: Vec<Token>| Pattern {
            written: written.into(),
            tokens: tokens.into(),
            literal: None,
        };
        Self::new(vec![pattern("*", vec![Token::Run]), pattern("$*", vec![Token::Char('$'), Token::Run])])
    }

    /// The filter of patterns that a client sent.
    ///
    /// # Errors
    /// When they are more than may be held against every event: 16 KiB, all together.
    pub fn of_client(patterns: Vec<Pattern>) -> Result<Self, Invalid> {
        let bytes: usize = patterns.iter().map(|pattern| pattern.written.len()).sum();
        if bytes > MAX_PATTERNS {
            return Err(Invalid::new(format!(
                "the patterns are {bytes} bytes long together, at most {MAX_PATTERNS} are allowed"
            )));
        }
        Ok(Self::new(patterns))
    }

    /// Whether it takes so long to match that it must not be done where others wait.
    pub(crate) fn is_costly(&self) -> bool {
        /// A few microseconds for each event.
        const CHEAP: usize = 256;
        self.cost > CHEAP
    }

    /// The number of events to match before other work gets a turn: some milliseconds' worth.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        /// Events times tokens.
        const AT_ONCE: usize = 256 << 10;
        /// So many at least, or reading them costs more than matching.
        const FEWEST: usize = 64;
        (AT_ONCE / self.cost.max(1)).max(FEWEST)
    }

    /// Whether this topic is wanted.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        let system = topic.is_system();
        if self.patterns.is_empty() {
            return !system;
        }
        let mut positions = None;
        self.patterns.iter().any(|pattern| {
            pattern.matches_system() == system && pattern.matches_indexed(topic.as_str(), &mut positions)
        })
    }

    /// Which kinds of topic it can match, so that a store need not look at the others.
    #[must_use]
    pub fn class(&self) -> Class {
        let system = self.patterns.iter().filter(|pattern| pattern.matches_system()).count();
        match system {
            0 => Class::User,
            all if all == self.patterns.len() => Class::System,
            _ => Class::Both,
        }
    }

    /// The patterns as given; none where every topic of users is wanted.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text)
    }

    fn filter(patterns: &[&str]) -> TopicFilter {
        TopicFilter::new(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
    }

    #[test]
    fn a_star_takes_dots_and_slashes() {
        assert!(matches("api.*", "api.change.contract"));
        assert!(matches("*/x.ts", "src/a/x.ts"));
        assert!(!matches("api.*", "api"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-b-b-c-"));
        assert!(matches("**", ""));
    }

    #[test]
    fn a_question_mark_takes_one_character_not_one_byte() {
        assert!(matches("?", "ü"));
        assert!(!matches("?", ""));
        assert!(!matches("??", "ü"));
    }

    #[test]
    fn classes_take_ranges_and_can_be_turned_round() {
        assert!(matches("[a-cx]", "b") && matches("[a-cx]", "x") && !matches("[a-cx]", "d"));
        assert!(matches("[^a-c]", "d") && !matches("[^a-c]", "b") && !matches("[^a-c]", ""));
        assert!(matches(r"[\]\-\\]", "]") && matches(r"[\]\-\\]", "-") && matches(r"[\]\-\\]", r"\"));
        assert!(matches("[$^]", "^"), "a caret that is not first is a character");
    }

    #[test]
    fn the_empty_pattern_is_a_star() {
        assert_eq!(Pattern::new("").unwrap(), Pattern::new("*").unwrap());
        assert_eq!(Pattern::new("").unwrap().as_str(), "*");
    }

    #[test]
    fn a_pattern_without_wildcards_names_its_one_match() {
        assert_eq!(Pattern::new(r"a.\*b").unwrap().literal(), Some("a.*b"));
        assert!(matches(r"a.\*b", "a.*b") && !matches(r"a.\*b", "a.xb"));
        for wild in ["a*", "a?", "[a]", ""] {
            assert_eq!(Pattern::new(wild).unwrap().literal(), None, "{wild}");
        }
    }

    #[test]
    fn a_malformed_pattern_says_what_and_where() {
        let said = |pattern: &str| Pattern::new(pattern).unwrap_err().to_string();
        assert_eq!(said("ab["), r#"invalid pattern "ab[": the class is not closed, at character 3"#);
        assert_eq!(said("[a"), r#"invalid pattern "[a": the class is not closed, at character 1"#);
        assert_eq!(said("[a-"), r#"invalid pattern "[a-": the class is not closed, at character 1"#);
        assert_eq!(said("[]a]"), r#"invalid pattern "[]a]": the class is empty, at character 1"#);
        assert_eq!(said("[z-a]"), r#"invalid pattern "[z-a]": the range z-a runs backwards, at character 2"#);
        assert_eq!(
            said("[-a]"),
            r#"invalid pattern "[-a]": write \- for a - of its own in a class, at character 2"#
        );
        assert_eq!(said("ü\\"), r#"invalid pattern "ü\\": nothing follows the backslash, at character 2"#);
        assert_eq!(
            said(&"x".repeat(1025)),
            "invalid pattern: it is 1025 bytes long, at most 1024 are allowed"
        );
    }

    #[test]
    fn a_glob_bomb_is_answered_at_once() {
        let bomb = Pattern::new("*a".repeat(512)).unwrap();
        assert!(!bomb.matches(&format!("{}b", "a".repeat(4096))));
    }

    #[test]
    fn long_texts_are_matched_as_short_ones_are() {
        let classes = Pattern::new(format!("*{}b*", "[zyxa]".repeat(70))).unwrap();
        for (text, expected) in [
            (format!("{}b", "azyx".repeat(64)), true),
            (format!("ü{}b{}", "a".repeat(70), "c".repeat(200)), true),
            (format!("{}b", "a".repeat(69)), false),
            (format!("{}cb", "a".repeat(255)), false),
            ("a".repeat(256), false),
        ] {
            assert_eq!((classes.matches(&text), classes.tried(&text)), (expected, expected), "{text}");
        }
    }

    #[test]
    fn the_patterns_of_a_client_have_a_bound_together() {
        let patterns = |count: usize| vec![Pattern::new("*".repeat(1024)).unwrap(); count];
        assert!(TopicFilter::of_client(patterns(16)).is_ok());
        assert_eq!(
            TopicFilter::of_client(patterns(17)).unwrap_err().to_string(),
            "the patterns are 17408 bytes long together, at most 16384 are allowed"
        );
    }

    #[test]
    fn what_is_costly_is_known_and_done_in_small_portions() {
        for (filter, costly, most) in [
            (filter(&["api.*", "build.done", "$state.*"]), false, 87_381),
            (filter(&["*.done", "*.error"]), false, 20_164),
            (filter(&["*[a-z]?x"; 100]), true, 655),
            (filter(&[&*"*a".repeat(80); 100]), true, 64),
        ] {
            assert_eq!((filter.is_costly(), filter.most_at_once()), (costly, most), "{filter:.200?}");
        }
    }

    #[test]
    fn serde_reads_and_writes_the_glob_as_a_string() {
        let pattern: Pattern = serde_json::from_str(r#""a.*""#).unwrap();
        assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""a.*""#);
        assert!(serde_json::from_str::<Pattern>(r#""[""#).is_err());
    }

    #[test]
    fn system_topics_are_only_matched_when_asked_for() {
        let system = Topic::new("$state.changed").unwrap();
        let user = Topic::new("state.changed").unwrap();
        for (patterns, wants_system, wants_user, class) in [
            (vec![], false, true, Class::User),
            (vec!["*"], false, true, Class::User),
            (vec!["?state.*", "[$]*"], false, false, Class::User),
            (vec!["$*"], true, false, Class::System),
            (vec!["*", "$state.*"], true, true, Class::Both),
        ] {
            let filter = filter(&patterns);
            assert_eq!(
                (filter.matches(&system), filter.matches(&user), filter.class()),
                (wants_system, wants_user, class),
                "{patterns:?}"
            );
        }
    }

    /// The definition, one line per rule, with no thought for speed.
    fn naive(tokens: &[Token], text: &[char]) -> bool {
        match (tokens.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((Token::Run, rest)), _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (Some((single, rest)), Some((c, after))) => single.takes(*c) && naive(rest, after),
            (Some(_), None) => false,
        }
    }

    fn as_regex(tokens: &[Token]) -> String {
        let body: String = tokens
            .iter()
            .map(|token| match token {
                Token::Run => "(?s:.*)".into(),
                Token::One => "(?s:.)".into(),
                Token::Char(c) => regex::escape(&c.to_string()),
                Token::Class { negated, ranges } => {
                    let ranges: Vec<String> = ranges
                        .iter()
                        .map(|&(low, high)| {
                            format!(r"\x{{{:x}}}-\x{{{:x}}}", u32::from(low), u32::from(high))
                        })
                        .collect();
                    format!("[{}{}]", if *negated { "^" } else { "" }, ranges.concat())
                }
            })
            .collect();
        format!(r"\A{body}\z")
    }

    proptest! {
        #[test]
        fn matching_is_what_the_definition_says(
            pattern in r"([ab.*?ü]|\[\^?[ab]-[cü]\]|\\[*?ab]){0,8}",
            text in "[ab.c*?ü\n]{0,10}",
        ) {
            let pattern = Pattern::new(&pattern).unwrap();
            let chars: Vec<char> = text.chars().collect();
            let matched = pattern.matches(&text);
            prop_assert_eq!(matched, naive(&pattern.tokens, &chars));
            prop_assert_eq!(matched, pattern.tried(&text));
            prop_assert_eq!(matched, Positions::of(&text).match_all(&pattern.tokens));
            prop_assert_eq!(matched, regex::Regex::new(&as_regex(&pattern.tokens)).unwrap().is_match(&text));
            if let Some(literal) = pattern.literal() {
                prop_assert_eq!(matched, literal == text);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(pattern in ".{0,40}", text in ".{0,40}") {
            if let Ok(pattern) = Pattern::new(&pattern) {
                _ = pattern.matches(&text);
            }
        }
    }
}
