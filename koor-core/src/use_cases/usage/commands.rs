//! Recording what a model's work cost.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller, Role},
    command::{Applied, Command, CommandContext, Operation},
    domain::{audit::Action, line, usage::UsageRecord},
    error::{Error, Invalid},
    ids::UsageId,
    ports::Change,
    schema::{FullLine, Line, Needs},
};

/// A record as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["provider", "model"]))]
pub struct UsageDraft {
    /// Whose model it is.
    #[schemars(with = "FullLine")]
    pub provider: String,
    /// Which model.
    #[schemars(with = "FullLine")]
    pub model: String,
    /// Which instance called it.
    #[schemars(with = "Line")]
    pub instance_id: String,
    /// For which project.
    #[schemars(with = "Line")]
    pub project: String,
    /// Tokens sent.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub tokens_in: i64,
    /// Tokens received.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub tokens_out: i64,
    /// What it cost.
    #[schemars(range(min = 0))]
    pub cost_usd: f64,
    /// What kind of call it was; `completion`, unless told.
    #[schemars(with = "Line")]
    pub request_type: String,
    /// A label of the caller's own.
    #[schemars(with = "Line")]
    pub session_tag: String,
}

/// A whole number however it is written: to JSON Schema, and to clients in languages with one kind of number, `3.0` is
/// one.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("i64")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
            i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
            /// Beyond this, not every whole number has a float of its own.
            const EXACT: f64 = 9_007_199_254_740_992.0;
            if number.fract() != 0.0 || number.abs() > EXACT {
                return Err(E::invalid_type(Unexpected::Float(number), &self));
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            Ok(number as i64)
        }
    }

    deserializer.deserialize_i64(Whole)
}

/// Records what a call to a model cost.
#[derive(Debug)]
pub struct RecordUsage {
    draft: UsageDraft,
    tokens_in: u64,
    tokens_out: u64,
}

impl RecordUsage {
    /// To record that. Where it does not say which instance, it was the calling one; an agent always is.
    ///
    /// # Errors
    /// When it does not say whose model it was, or a number is negative.
    pub fn new(caller: &Caller, draft: UsageDraft) -> Result<Self, Invalid> {
        if draft.provider.is_empty() {
            return Err(Invalid::new("provider is required"));
        }
        if draft.model.is_empty() {
            return Err(Invalid::new("model is required"));
        }
        let count = |name: &str, n: i64| {
            u64::try_from(n).map_err(|_| Invalid::new(format!("{name} must not be negative, got {n}")))
        };
        let (tokens_in, tokens_out) =
            (count("tokens_in", draft.tokens_in)?, count("tokens_out", draft.tokens_out)?);
        if !draft.cost_usd.is_finite() || draft.cost_usd < 0.0 {
            return Err(Invalid::new(format!("cost_usd must not be negative, got {}", draft.cost_usd)));
        }
        let request_type =
            if draft.request_type.is_empty() { "completion".to_owned() } else { draft.request_type };
        // An agent speaks for itself alone: its word becomes the actor in the audit log.
        let instance_id = match caller.as_instance() {
            Some(own) if draft.instance_id.is_empty() || caller.role() == Role::Agent => own.id.to_string(),
            _ => draft.instance_id,
        };
        let draft = UsageDraft {
            provider: line("provider", draft.provider)?,
            model: line("model", draft.model)?,
            instance_id: line("instance_id", instance_id)?,
            project: line("project", draft.project)?,
            request_type: line("request_type", request_type)?,
            session_tag: line("session_tag", draft.session_tag)?,
            ..draft
        };
        Ok(Self { draft, tokens_in, tokens_out })
    }
}

impl Command for RecordUsage {
    type Output = UsageRecord;

    fn operation(&self) -> Operation {
        let resource = format!("{}/{}", self.draft.project, self.draft.model);
        Operation::to(Action::LlmUsage, resource, Access::Anyone).by(&self.draft.instance_id)
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<UsageRecord>, Error> {
        let draft = self.draft.clone();
        let record = UsageRecord {
            id: UsageId::after(cx.ends().usage),
            provider: draft.provider,
            model: draft.model,
            instance_id: draft.instance_id,
            project: draft.project,
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            cost_usd: draft.cost_usd,
            request_type: draft.request_type,
            session_tag: draft.session_tag,
            created_at: cx.now,
        };
        cx.append_usage(record.clone());
        cx.announce(
            SystemTopic::UsageRecorded,
            &json!({
                "instance_id": record.instance_id, "project": record.project, "model": record.model,
                "tokens_in": record.tokens_in, "tokens_out": record.tokens_out,
                "cost_usd": record.cost_usd, "session_tag": record.session_tag,
            }),
        )?;
        let detail = json!({
            "tokens_in": record.tokens_in, "tokens_out": record.tokens_out, "cost_usd": record.cost_usd,
        });
        Ok(Applied::with(record, detail))
    }
}

impl CommandContext<'_> {
    /// Appends a usage record. Its id is the one after the last.
    pub fn append_usage(&mut self, record: UsageRecord) {
        self.push(Change::AppendUsage(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_of_tokens_may_be_written_as_a_float() {
        let read = |text: &str| {
            serde_json::from_str::<UsageDraft>(&format!("{{\"tokens_in\":{text}}}"))
                .map(|draft| draft.tokens_in)
                .map_err(|error| error.to_string())
        };
        for (text, expected) in
            [("14765.0", 14765), ("3e2", 300), ("-1", -1), ("9223372036854775807", i64::MAX)]
        {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for (text, said) in [
            ("1.5", "invalid type: floating point `1.5`, expected i64"),
            ("1e300", "invalid type: floating point `1e+300`, expected i64"),
            ("18446744073709551615", "invalid value: integer `18446744073709551615`, expected i64"),
            ("\"1\"", "invalid type: string \"1\", expected i64"),
        ] {
            assert!(read(text).is_err_and(|error| error.starts_with(said)), "{text}: {:?}", read(text));
        }
    }
}
