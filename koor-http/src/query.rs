//! Reading the parameters of a query.

use std::{borrow::Cow, str::FromStr, time::Duration};

use koor_core::{
    clock::Timestamp,
    ids::Version,
    page::{Limit, TimeRange},
    pattern::{Pattern, TopicFilter},
    time_span::TimeSpan,
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
    /// Whether there is no query.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

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

    /// A text; an empty one counts as none.
    pub(crate) fn text(self, name: &'a str) -> Result<Option<String>, Failure> {
        Ok(self.get(name)?.filter(|text| !text.is_empty()).map(Cow::into_owned))
    }

    /// A text as a checked type; an empty one counts as none.
    pub(crate) fn parse<T: FromStr<Err: Into<Failure>>>(self, name: &'a str) -> Result<Option<T>, Failure> {
        self.get(name)?
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().map_err(Into::into))
            .transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn number(self, name: &'a str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        let digits = text.strip_prefix(' ').unwrap_or(&text);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Some).ok_or_else(|| {
            Failure::invalid(format!(
                "{name} must be a whole number between 0 and {}, got {text:?}",
                u64::MAX
            ))
        })
    }

    /// A version: a whole number from 1 on.
    pub(crate) fn version(self, name: &'a str) -> Result<Option<Version>, Failure> {
        self.number(name)?.map(|number| to_version(name, number)).transpose()
    }

    /// The number of entries, if it is given.
    pub(crate) fn limit_if_any(self, name: &'a str) -> Result<Option<Limit>, Failure> {
        Ok(self.number(name)?.map(|number| Limit::new(name, number)).transpose()?)
    }

    /// The number of entries; 50 by default.
    pub(crate) fn limit(self, name: &'a str) -> Result<Limit, Failure> {
        Ok(self.limit_if_any(name)?.unwrap_or_default())
    }

    /// `from` and `to`.
    pub(crate) fn range(self) -> Result<TimeRange, Failure> {
        Ok(TimeRange {
            from: self.get("from")?.map(|text| Timestamp::parse_from("from", &text)).transpose()?,
            to: self.get("to")?.map(|text| Timestamp::parse_to("to", &text)).transpose()?,
        })
    }

    /// A span of time.
    pub(crate) fn span(self, name: &'a str) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        let span: TimeSpan =
            text.parse().map_err(|error| Failure::invalid(format!("{name} is no good: {error}")))?;
        Ok(Some(span.get()))
    }

    /// A flag; `false` where it is missing.
    pub(crate) fn flag(self, name: &'a str) -> Result<bool, Failure> {
        Ok(self.choice(name)?.unwrap_or(false))
    }

    /// A flag, if it is given.
    pub(crate) fn choice(self, name: &'a str) -> Result<Option<bool>, Failure> {
        match self.get(name)?.as_deref() {
            None => Ok(None),
            Some("1" | "true" | "") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(other) => Err(Failure::invalid(format!("{name} must be true or false, got {other:?}"))),
        }
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
        assert_eq!(said(Query("limit=0").limit("limit")), "limit must be between 1 and 10000, got 0");
        assert_eq!(
            said(Query("version=0").version("version")),
            format!("version must be between 1 and {}, got 0", i64::MAX)
        );
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

    #[test]
    fn a_time_with_an_unescaped_plus_is_read() {
        let range = Query("from=2026-02-09T15:30:00+01:00&to=2026-02-16").range().unwrap();
        assert_eq!(range.from.unwrap().to_string(), "2026-02-09T14:30:00.000Z");
        assert_eq!(range.to.unwrap().to_string(), "2026-02-16T23:59:59.999Z");
    }

    #[test]
    fn a_flag_is_said_plainly() {
        assert!(Query("history=1").flag("history").unwrap());
        assert!(Query("history").flag("history").unwrap());
        assert!(!Query("history=false").flag("history").unwrap());
        assert!(!Query("").flag("history").unwrap());
        assert_eq!(
            said(Query("history=maybe").flag("history")),
            "history must be true or false, got \"maybe\""
        );
    }
}
