//! Parameters of a query as types: each parses itself and describes itself.

use std::time::Duration;

use koor_core::{
    clock::Timestamp,
    domain::{
        audit::Outcome,
        instances::InstanceStatus,
        rules::{RuleSource, RuleStatus},
        state::Precondition,
        tasks::{TaskOrder, TaskStatus},
        templates::TemplateKind,
        usage::GroupBy,
    },
    ids::{AgentName, Cursor, ProjectName, StateKey, TaskNumber, Version},
    page::{Limit, TimeRange},
    pattern::{Pattern, TopicFilter},
    time_span::TimeSpan,
};
use serde_json::{Value, json};

use crate::{
    conditional::precondition,
    error::Failure,
    query::{Query, to_number, to_version},
    request::Call,
    shape::{Input, Param, Place, Schemas, Shape, whole},
};

/// The value of one parameter.
pub(crate) trait Parameter: Sized {
    /// Whether an empty text counts as none.
    const EMPTY_IS_ABSENT: bool;
    /// Reads it; the name is for what an error says.
    fn read(name: &str, text: &str) -> Result<Self, Failure>;
    /// What is accepted.
    fn schema() -> Value;
}

/// What a member of a query's type can be: one parameter, several of a name, or a flag.
pub(crate) trait Member: Sized {
    const REQUIRED: bool = false;
    const MANY: bool = false;
    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure>;
    fn schema() -> Value;
}

impl<T: Parameter> Member for Option<T> {
    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure> {
        let given = query.get(name)?.filter(|text| !T::EMPTY_IS_ABSENT || !text.is_empty());
        given.map(|text| T::read(name, &text)).transpose()
    }

    fn schema() -> Value {
        if T::EMPTY_IS_ABSENT { json!({"anyOf": [T::schema(), {"const": ""}]}) } else { T::schema() }
    }
}

/// A flag; `false` where it is missing.
impl Member for bool {
    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure> {
        Ok(Option::read(query, name)?.unwrap_or(false))
    }

    fn schema() -> Value {
        <Self as Parameter>::schema()
    }
}

/// Several of one name.
impl<T: Parameter> Member for Vec<T> {
    const MANY: bool = true;

    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for text in query.all(name) {
            let text = text?;
            if !T::EMPTY_IS_ABSENT || !text.is_empty() {
                all.push(T::read(name, &text)?);
            }
        }
        Ok(all)
    }

    fn schema() -> Value {
        json!({"type": "array", "items": Option::<T>::schema()})
    }
}

/// A filter of topics from all patterns of a name.
impl Member for TopicFilter {
    const MANY: bool = true;

    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure> {
        query.topics(name)
    }

    fn schema() -> Value {
        json!({"type": "array", "items": whole::<Pattern>(), "maxItems": 100})
    }
}

/// A parameter that must be given.
pub(crate) struct Needed<T>(pub(crate) T);

impl<T: Parameter> Member for Needed<T> {
    const REQUIRED: bool = true;

    fn read(query: Query<'_>, name: &'static str) -> Result<Self, Failure> {
        let missing = || Failure::invalid(format!("{name} is required"));
        Option::read(query, name)?.map(Self).ok_or_else(missing)
    }

    fn schema() -> Value {
        T::schema()
    }
}

/// Types that parse themselves and have a schema of their own.
macro_rules! parsed {
    ($($type:ty),+) => {
        $(impl Parameter for $type {
            const EMPTY_IS_ABSENT: bool = true;

            fn read(_: &str, text: &str) -> Result<Self, Failure> {
                Ok(text.parse()?)
            }

            fn schema() -> Value {
                whole::<Self>()
            }
        })+
    };
}

parsed!(
    AgentName,
    GroupBy,
    InstanceStatus,
    Outcome,
    ProjectName,
    RuleStatus,
    StateKey,
    TaskOrder,
    TaskStatus,
    TemplateKind
);

impl Parameter for String {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        Ok(text.to_owned())
    }

    fn schema() -> Value {
        json!({"type": "string"})
    }
}

impl Parameter for u64 {
    const EMPTY_IS_ABSENT: bool = false;

    fn read(name: &str, text: &str) -> Result<Self, Failure> {
        to_number(name, text)
    }

    fn schema() -> Value {
        json!({"type": "integer", "minimum": 0, "maximum": Self::MAX})
    }
}

/// Types that are made of a whole number.
macro_rules! counted {
    ($($type:ty: |$name:ident, $number:ident| $make:expr, $least:expr, $most:expr);+ $(;)?) => {
        $(impl Parameter for $type {
            const EMPTY_IS_ABSENT: bool = false;

            fn read($name: &str, text: &str) -> Result<Self, Failure> {
                let $number = u64::read($name, text)?;
                $make
            }

            fn schema() -> Value {
                json!({"type": "integer", "minimum": $least, "maximum": $most})
            }
        })+
    };
}

counted! {
    Limit: |name, number| Ok(Self::new(name, number)?), 1, 10_000;
    Version: |name, number| to_version(name, number), 1, i64::MAX;
    Cursor: |_name, number| Ok(Self::new(number)), 0, u64::MAX;
    TaskNumber: |name, number| Self::new(number).ok_or_else(|| Failure::invalid(format!("{name} counts from 1"))), 1, i64::MAX;
}

impl Parameter for Duration {
    const EMPTY_IS_ABSENT: bool = false;

    fn read(name: &str, text: &str) -> Result<Self, Failure> {
        let span: TimeSpan =
            text.parse().map_err(|error| Failure::invalid(format!("{name} is no good: {error}")))?;
        Ok(span.get())
    }

    fn schema() -> Value {
        // As text: a query has no numbers.
        whole::<TimeSpan>()["anyOf"][1].clone()
    }
}

impl Parameter for bool {
    const EMPTY_IS_ABSENT: bool = false;

    fn read(name: &str, text: &str) -> Result<Self, Failure> {
        match text {
            "1" | "true" | "" => Ok(true),
            "0" | "false" => Ok(false),
            other => Err(Failure::invalid(format!("{name} must be true or false, got {other:?}"))),
        }
    }

    fn schema() -> Value {
        json!({"type": "string", "enum": ["1", "0", "true", "false", ""]})
    }
}

/// Sources of rules, separated by commas.
pub(crate) struct Sources(pub(crate) Vec<RuleSource>);

impl Parameter for Sources {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        let sources = text.split(',').map(|source| Ok(source.trim().parse()?));
        sources.collect::<Result<_, Failure>>().map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^ *(local|learned|external) *(, *(local|learned|external) *)*$"})
    }
}

/// Declares the query of a route as a type: what each member is, its name and what is said about it.
macro_rules! query {
    ($(#[$meta:meta])* struct $name:ident {
        $(#[doc = $summary:literal] $member:ident $(as $param:literal)?: $type:ty,)+
    }) => {
        $(#[$meta])*
        pub(crate) struct $name {
            $(#[doc = $summary] $member: $type,)+
        }

        impl $crate::shape::Input for $name {
            async fn read(call: &mut $crate::request::Call) -> Result<Self, $crate::error::Failure> {
                let query = call.query();
                Ok(Self {
                    $($member: $crate::query_value::Member::read(
                        query, $crate::query_value::query!(@name $member $($param)?),
                    )?,)+
                })
            }

            fn describe(shape: &mut $crate::shape::Shape, _: &mut $crate::shape::Schemas) {
                $($crate::query_value::describe::<$type>(
                    shape, $crate::query_value::query!(@name $member $($param)?), $summary,
                );)+
            }
        }
    };
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $param:literal) => { $param };
}

pub(crate) use query;

/// Adds a parameter of that type to a shape.
pub(crate) fn describe<T: Member>(shape: &mut Shape, name: &'static str, summary: &'static str) {
    shape.params.push(Param {
        name,
        place: Place::Query,
        summary: summary.trim(),
        required: T::REQUIRED,
        schema: T::schema(),
        many: T::MANY,
    });
}

fn range(query: Query<'_>) -> Result<TimeRange, Failure> {
    Ok(TimeRange {
        from: query.get("from")?.map(|text| Timestamp::parse_from("from", &text)).transpose()?,
        to: query.get("to")?.map(|text| Timestamp::parse_to("to", &text)).transpose()?,
    })
}

/// `from` and `to`.
impl Input for TimeRange {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        range(call.query())
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        for (name, summary) in [("from", "From this moment on."), ("to", "Up to this moment.")] {
            let schema = whole::<Timestamp>();
            shape.params.push(Param {
                name,
                place: Place::Query,
                summary,
                required: false,
                schema,
                many: false,
            });
        }
    }
}

/// A header that lists tags.
fn tags(name: &'static str, summary: &'static str) -> Param {
    // What a header can hold at all.
    let schema = json!({"type": "string", "pattern": "^[\\t\\u0020-\\u007e\\u0080-\\u00ff]*$"});
    Param { name, place: Place::Header, summary, required: false, schema, many: false }
}

/// The condition under which a write is wanted.
impl Input for Precondition {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        precondition(&call.head.headers, call.query())
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        describe::<Option<u64>>(shape, "if_version", "Only if it is at this version; 0: only if absent.");
        shape.params.extend([
            tags(IF_MATCH_NAME, "Only if it has one of these hashes; *: only if it exists."),
            tags(IF_NONE_MATCH_NAME, "Only if it has none of these hashes; *: only if absent."),
        ]);
    }
}

const IF_MATCH_NAME: &str = "If-Match";
const IF_NONE_MATCH_NAME: &str = "If-None-Match";

/// What the client has already, by `If-None-Match`: read where the answer is made.
pub(crate) struct Known;

impl Input for Known {
    async fn read(_: &mut Call) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.params.push(tags(IF_NONE_MATCH_NAME, "Answer 304 if it still has one of these hashes."));
    }
}

/// The version that a task must have, by `If-Match`: read where the change is made.
pub(crate) struct Wanted;

impl Input for Wanted {
    async fn read(_: &mut Call) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.params.push(tags(IF_MATCH_NAME, "Only if it has this tag."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(query: &'static str) -> Result<bool, Failure> {
        <bool as Member>::read(Query(query), "history")
    }

    fn said<T>(result: Result<T, Failure>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_by_name() {
        let limit = Option::<Limit>::read(Query("limit=0"), "limit");
        assert_eq!(said(limit), "limit must be between 1 and 10000, got 0");
        let version = Option::<Version>::read(Query("version=0"), "version");
        assert_eq!(said(version), format!("version must be between 1 and {}, got 0", i64::MAX));
    }

    #[test]
    fn an_empty_text_counts_as_none() {
        assert!(Option::<AgentName>::read(Query("name="), "name").unwrap().is_none());
        assert!(
            Vec::<TaskStatus>::read(Query("status=&status=open"), "status").unwrap() == [TaskStatus::Open]
        );
        assert!(said(Option::<u64>::read(Query("n="), "n")).starts_with("n must be a whole number"));
        assert_eq!(said(Needed::<Version>::read(Query(""), "rollback")), "rollback is required");
    }

    #[test]
    fn a_time_with_an_unescaped_plus_is_read() {
        let range = range(Query("from=2026-02-09T15:30:00+01:00&to=2026-02-16")).unwrap();
        assert_eq!(range.from.unwrap().to_string(), "2026-02-09T14:30:00.000Z");
        assert_eq!(range.to.unwrap().to_string(), "2026-02-16T23:59:59.999Z");
    }

    #[test]
    fn a_flag_is_said_plainly() {
        assert!(flag("history=1").unwrap());
        assert!(flag("history").unwrap());
        assert!(!flag("history=false").unwrap());
        assert!(!flag("").unwrap());
        assert_eq!(said(flag("history=maybe")), "history must be true or false, got \"maybe\"");
    }
}
