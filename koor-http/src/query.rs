//! Reading the parameters of a query.

use std::borrow::Cow;

use koor_core::{
    ids::Version,
    pattern::{Pattern, TopicFilter},
};
use percent_encoding::percent_decode_str;

use crate::error::Failure;

/// Decodes `%xx`, and `+` as a space if `plus` is set. A `%` without two hex digits stays as it is. `None` if the result is
/// not UTF-8.
pub(crate) fn decode(raw: &str, plus: bool) -> Option<Cow<'_, str>> {
    if plus && raw.contains('+') {
        let spaced = raw.replace('+', " ");
        return percent_decode_str(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()));
    }
    percent_decode_str(raw).decode_utf8().ok()
}

/// The query of a request's target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    /// Every value of a parameter, in order.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = Result<Cow<'a, str>, Failure>> {
        self.0.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // No parameter has a name that is not UTF-8.
            if decode(key, true)? != name {
                return None;
            }
            let value = decode(value, true);
            Some(value.ok_or_else(|| Failure::invalid(format!("invalid {name}: it is not UTF-8"))))
        })
    }

    /// The first value of a parameter.
    pub(crate) fn get(self, name: &'a str) -> Result<Option<Cow<'a, str>>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.all(name).next().transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn number(self, name: &'a str) -> Result<Option<u64>, Failure> {
        self.get(name)?.map(|text| to_number(name, &text)).transpose()
    }

    /// A filter of topics from all patterns of that name.
    pub(crate) fn topics(self, name: &'a str) -> Result<TopicFilter, Failure> {
        let mut patterns = Vec::new();
        for text in self.all(name).filter(|_| !self.0.is_empty()) {
            if patterns.len() == PATTERNS {
                return Err(Failure::invalid(format!("more than {PATTERNS} of {name} were given")));
            }
            patterns.push(Pattern::new(text?)?);
        }
        Ok(TopicFilter::of_client(patterns)?)
    }
}

/// The limit of patterns: each is matched against every event.
const PATTERNS: usize = 100;

/// Reads a whole number that is not negative.
pub(crate) fn to_number(name: &str, text: &str) -> Result<u64, Failure> {
    // An unescaped `+` before the digits has become a space.
    let digits = text.strip_prefix(' ').unwrap_or(text);
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let wrong = || format!("{name} must be a whole number between 0 and {}, got {text:?}", u64::MAX);
    number.ok_or_else(|| Failure::invalid(wrong()))
}

pub(crate) fn to_version(name: &str, number: u64) -> Result<Version, Failure> {
    Version::new(number)
        .ok_or_else(|| Failure::invalid(format!("{name} must be between 1 and {}, got {number}", i64::MAX)))
}

#[cfg(test)]
mod tests {
    use koor_core::ids::Topic;

    use super::*;

    fn said<T>(result: Result<T, Failure>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn percent_codes_are_undone_and_nothing_else() {
        assert_eq!(decode("a%2Fb%20c", false).unwrap(), "a/b c");
        assert_eq!(decode("a+b", false).unwrap(), "a+b");
        assert_eq!(decode("a+b%2B", true).unwrap(), "a b+");
        assert_eq!(decode("100%", false).unwrap(), "100%");
        assert_eq!(decode("%zz%4", false).unwrap(), "%zz%4");
        assert_eq!(decode("%C3%BC", false).unwrap(), "ü");
        assert_eq!(decode("%ff", false), None);
    }

    #[test]
    fn a_number_is_whole_or_refused_by_name() {
        let query = Query("a=5&b=x&c=-1&d=1.5&e=&f=99999999999999999999");
        assert_eq!(query.number("a").unwrap(), Some(5));
        assert_eq!(query.number("z").unwrap(), None);
        for name in ["b", "c", "d", "e", "f"] {
            assert!(
                said(query.number(name)).starts_with(&format!("{name} must be a whole number")),
                "{name}"
            );
        }
    }

    #[test]
    fn patterns_need_no_escapes_and_may_be_many() {
        let topics = Query("pattern=truck-wash.*&pattern=[ab]?c").topics("pattern").unwrap();
        assert!(topics.matches(&Topic::new("truck-wash.done").unwrap()));
        assert!(topics.matches(&Topic::new("axc").unwrap()));
        assert!(!topics.matches(&Topic::new("other").unwrap()));
        assert!(said(Query("pattern=[a").topics("pattern")).contains("pattern"));
        assert!(Query("").topics("pattern").unwrap().patterns().is_empty());
    }
}
