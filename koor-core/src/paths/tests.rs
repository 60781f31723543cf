use proptest::prelude::*;

use super::*;
use crate::pattern::Token;

fn pattern(written: &str) -> PathPattern {
    PathPattern::new(written).unwrap()
}

fn overlap(left: &str, right: &str) -> bool {
    let (left, right) = (pattern(left), pattern(right));
    let found = left.overlaps(&right);
    assert_eq!(right.overlaps(&left), found, "{left} and {right}: the order matters");
    found
}

#[test]
fn a_path_without_wildcards_covers_everything_below_it() {
    for (written, path, expected) in [
        ("src", "src", true),
        ("src", "src/auth/login.rs", true),
        ("src", "srcs", false),
        (r"a\*", "a*/b", true),
        (r"a\*", "ab", false),
        ("src/*", "src/auth", true),
        ("src/*", "src/auth/login.rs", false),
        ("src/*", "src", false),
        ("src/**", "src", true),
        ("**/*.rs", "main.rs", true),
        ("**/*.rs", "a/b/main.rs", true),
        ("a/**/b/**/c", "a/b/c", true),
        ("a/**/b/**/c", "a/x/b/b/y/c", true),
        ("a/**/b/**/c", "a/c/b", false),
        ("a**b", "a/b", false),
        ("a**b", "axxb", true),
        ("[^a]", "ü", true),
    ] {
        assert_eq!(pattern(written).matches(path).unwrap(), expected, "{written} and {path}");
    }
}

#[test]
fn a_dot_segment_is_dropped() {
    assert_eq!(pattern("./src/./auth").as_str(), "src/auth");
    assert_eq!(pattern("./src"), pattern("src"));
    assert!(pattern("src").matches("./src/a").unwrap());
}

#[test]
fn what_is_no_pattern_is_refused_with_a_reason() {
    let said = |written: &str| PathPattern::new(written).unwrap_err().to_string();
    assert_eq!(said(""), "path is required");
    assert_eq!(
        said("/src"),
        r#"invalid path "/src": it begins with '/', but paths are relative to the project's root"#
    );
    let empty = "it has an empty segment; write `src`, not `src/`, for all below it";
    assert_eq!(said("a//b"), format!(r#"invalid path "a//b": {empty}"#));
    assert_eq!(said("a/"), format!(r#"invalid path "a/": {empty}"#));
    assert_eq!(said("a/../b"), r#"invalid path "a/../b": it has a segment '..'"#);
    assert_eq!(said(r"a/\.\."), r#"invalid path "a/\\.\\.": a segment is "..""#);
    assert_eq!(said("./."), r#"invalid path "./.": write `**` for the whole project"#);
    assert_eq!(said("a\nb"), r#"invalid path "a\nb": it has a control character"#);
    assert_eq!(
        said("src/[a"),
        r#"invalid path "src/[a": invalid pattern "[a": the class is not closed, at character 1"#
    );
    assert_eq!(said(&"x".repeat(1025)), "a path is 1025 bytes long, at most 1024 are allowed");
    assert!(PathPattern::new("x".repeat(1024)).is_ok());
    for bad in [r"a\", r"a\/b", "[a/b]", "[]", "[z-a]", "[-a]", "a/[^]"] {
        assert!(PathPattern::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn overlap_is_decided_by_a_path_that_both_match() {
    for (left, right, expected) in [
        ("src", "src/auth/login.rs", true),
        ("src/auth", "src/author", false),
        ("src/*.rs", "src/a*", true),
        ("src/*.rs", "src/*.ts", false),
        ("*/a", "b/*", true),
        ("**/a", "b/**", true),
        ("**/a/**/b", "**/b/**/a", false),
        ("**/a/**/b/**", "**/b/**/a/**", true),
        ("**/a", "**/b", false),
        ("a/**/a", "a/*/b", false),
        ("a/*/c", "a/**/b/c", true),
        ("a/*/c", "a/**/b/b/c", false),
        ("[ab]x", "[bc]?", true),
        ("[ab]", "[^ab]", false),
        ("[a-m]", "[n-z]", false),
        ("[^a]", "[^b]", true),
        ("[ü-ÿ]", "[^a-þ]", true),
        (r"\*", "*", true),
        (r"\*", "[^*]", false),
        ("*a*b*", "*b*a*", true),
        ("*a", "*b", false),
        ("?", "??", false),
        ("a*", "*a", true),
    ] {
        assert_eq!(overlap(left, right), expected, "{left} and {right}");
    }
}

#[test]
fn what_no_segment_can_be_is_no_common_path() {
    assert!(!overlap("[.][.]", "?[.]"), "only `..` matches both");
    assert!(!overlap("[.]", "?"), "only `.` matches both");
    assert!(overlap("*.", "?.?") && overlap("[.]*", "???"), "`...` is a name");
    // Both classes hold the slash, and nothing else in common: a segment never holds it.
    assert!(!overlap("[+-9]", r"[^+-.0-9]x") && !overlap("[+-9]", "[^+-.0-9]"));
    assert!(!overlap("[\u{d7ff}-\u{e000}]", "[^\u{d7ff}\u{e000}]"), "no character is between these two");
}

#[test]
fn a_literal_beginning_says_where_overlaps_can_be() {
    for (written, expected) in [("a/b", "a/b/"), ("a/*/b", "a/"), ("**/a", ""), (r"a\*/?", "a*/")] {
        assert_eq!(pattern(written).literal_beginning(), expected);
    }
}

#[test]
fn the_longest_patterns_are_compared_within_the_bound() {
    // A million pairs of tokens; backtracking would not end.
    let bomb = |last: &str| format!("{}{last}", "*a".repeat(511));
    assert!(!overlap(&bomb("b"), &bomb("c")));
    let deep = |last: &str| format!("{}{last}", "**/a/".repeat(200));
    assert!(!overlap(&deep("b"), &deep("c")));
}

/// The definition of a glob over one segment, with no thought for speed.
fn takes(tokens: &[Token], text: &[char]) -> bool {
    match (tokens.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((Token::Run, rest)), _) => (0..=text.len()).any(|taken| takes(rest, &text[taken..])),
        (Some((Token::One, rest)), Some((_, after))) => takes(rest, after),
        (Some((Token::Char(own), rest)), Some((c, after))) => own == c && takes(rest, after),
        (Some((Token::Class { negated, ranges }, rest)), Some((c, after))) => {
            ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated && takes(rest, after)
        }
        (Some(_), None) => false,
    }
}

fn covers(segments: &[Segment], path: &[Vec<char>]) -> bool {
    match (segments.split_first(), path.split_first()) {
        (None, _) => path.is_empty(),
        (Some((Segment::Many, rest)), _) => (0..=path.len()).any(|taken| covers(rest, &path[taken..])),
        (Some((Segment::Literal(own), rest)), Some((segment, after))) => {
            own.chars().eq(segment.iter().copied()) && covers(rest, after)
        }
        (Some((Segment::Glob(own), rest)), Some((segment, after))) => {
            takes(own.tokens(), segment) && covers(rest, after)
        }
        (Some(_), None) => false,
    }
}

/// All texts over an alphabet, from `1` to `most` letters.
fn texts<T: Clone>(alphabet: &[T], most: usize) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    let mut longest: Vec<Vec<T>> = vec![vec![]];
    for _ in 0..most {
        longest = longest
            .iter()
            .flat_map(|text| {
                alphabet.iter().map(move |letter| [text.as_slice(), std::slice::from_ref(letter)].concat())
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn as_path(path: &[Vec<char>]) -> String {
    path.iter().map(|segment| segment.iter().collect::<String>()).collect::<Vec<_>>().join("/")
}

proptest! {
    /// Of one segment: any text that both take is found among those of up to six letters, because none of these patterns
    /// has more than three parts.
    #[test]
    fn segments_overlap_exactly_where_brute_force_finds_a_text(
        left in r"([ab.*?ü]|\[\^?[ab]-[bü]\]|\[\^?[.a]\]|\\[*b]){1,3}",
        right in r"([ab.*?ü]|\[\^?[ab]-[bü]\]|\[\^?[.a]\]|\\[*b]){1,3}",
    ) {
        prop_assume!(![".", ".."].contains(&&*left) && ![".", ".."].contains(&&*right));
        prop_assume!(left != "**" && right != "**");
        let (left, right) = (pattern(&left), pattern(&right));
        let found = texts(&['a', 'b', '.', 'ü', '*', '!'], 5).into_iter().find(|text| {
            let path = [text.clone()];
            !matches!(text.as_slice(), ['.'] | ['.', '.'])
                && covers(&left.segments, &path)
                && covers(&right.segments, &path)
        });
        prop_assert_eq!(left.overlaps(&right), found.is_some(), "{} and {}: {:?}", left, right, found);
        prop_assert_eq!(right.overlaps(&left), found.is_some());
    }

    /// Of whole paths: one letter for each segment is enough for these.
    #[test]
    fn paths_overlap_exactly_where_brute_force_finds_one(
        left in r"(a|b|\?|\*|\*\*|\[ab\]|\[\^a\])(/(a|b|\?|\*|\*\*|\[ab\]|\[\^a\])){0,3}",
        right in r"(a|b|\?|\*|\*\*|\[ab\]|\[\^a\])(/(a|b|\?|\*|\*\*|\[ab\]|\[\^a\])){0,3}",
    ) {
        let (left, right) = (pattern(&left), pattern(&right));
        let paths = texts(&[vec!['a'], vec!['b'], vec!['c']], 7);
        let found = paths.iter().find(|path| covers(&left.segments, path) && covers(&right.segments, path));
        let shown = found.map(|path| as_path(path));
        prop_assert_eq!(left.overlaps(&right), found.is_some(), "{} and {}: {:?}", left, right, shown);
        prop_assert_eq!(right.overlaps(&left), found.is_some());
        // Where they overlap, one literal beginning begins with the other: a store may look no further.
        let (one, other) = (left.literal_beginning(), right.literal_beginning());
        prop_assert!(found.is_none() || one.starts_with(&other) || other.starts_with(&one));
    }

    #[test]
    fn a_pattern_matches_what_the_definition_says(
        written in r"(a|b|\?|\*|\*\*|\[ab\]|\[\^a\]|a\*)(/(a|b|\?|\*|\*\*|\[ab\]|\[\^a\]|a\*)){0,3}",
        path in "[abcü]{1,2}(/[abcü]{1,2}){0,4}",
    ) {
        let pattern = pattern(&written);
        let segments: Vec<Vec<char>> = path.split('/').map(|segment| segment.chars().collect()).collect();
        prop_assert_eq!(pattern.matches(&path).unwrap(), covers(&pattern.segments, &segments));
    }

    #[test]
    fn no_text_makes_the_parser_panic(one in ".{0,40}", other in r"[ab*?/.\\\[\]^-]{0,20}") {
        if let (Ok(one), Ok(other)) = (PathPattern::new(&one), PathPattern::new(&other)) {
            _ = one.overlaps(&other);
            prop_assert_eq!(PathPattern::new(one.as_str()).unwrap(), one);
        }
    }
}
