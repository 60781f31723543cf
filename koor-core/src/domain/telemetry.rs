//! Telemetry of agents' clients: which of it says what a call to a model cost, and how each client says it.

use std::collections::BTreeMap;

use crate::{
    clock::Timestamp,
    domain::line,
    error::Invalid,
    ids::{Hash, InstanceId, SessionName},
};

/// The longest value of an attribute that is read.
pub const MAX_ATTRIBUTE: usize = 1024;

/// The attributes that are read. Everything else, prompts and answers among it, is dropped where it comes in.
const READ: [&str; 44] = [
    "ai.usage.cachedInputTokens",
    "cache_creation_tokens",
    "cache_read_tokens",
    "cache_write_token_count",
    "cached_content_token_count",
    "cached_token_count",
    "conversation.id",
    "cost_usd",
    "event.kind",
    "event.name",
    "event.timestamp",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "gen_ai.system",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.cost",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens",
    "input_token_count",
    "input_tokens",
    "koor.instance",
    "model",
    "output_token_count",
    "output_tokens",
    "request_id",
    "response_id",
    "service.name",
    "session.id",
    "session_id",
    "slug",
    "thoughts_token_count",
    "thread.id",
    "tool_token_count",
    "total_token_count",
    "user.session.id",
];

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Any number.
    Real(f64),
}

/// The attributes of a resource, a log record or a span, as far as they are read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(BTreeMap<&'static str, AttributeValue>);

impl Attributes {
    /// Keeps an attribute, if it is one that is read. A value that is longer than any such is, is dropped.
    pub fn add(&mut self, key: &str, value: impl FnOnce() -> Option<AttributeValue>) {
        let Ok(place) = READ.binary_search(&key) else { return };
        let is_short = |value: &AttributeValue| !matches!(value, AttributeValue::Text(text) if text.len() > MAX_ATTRIBUTE);
        if let Some(value) = value().filter(is_short) {
            self.0.insert(READ[place], value);
        }
    }

    fn text<'a>(&'a self, keys: &[&str]) -> Option<&'a str> {
        let found = keys.iter().filter_map(|key| self.0.get::<str>(key));
        found.into_iter().find_map(|value| match value {
            AttributeValue::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// The first of these that is there, as a count: numbers may be texts.
    fn count(&self, keys: &[&str]) -> Result<Option<u64>, Invalid> {
        let Some((key, value)) = keys.iter().find_map(|key| Some((key, self.0.get::<str>(key)?))) else {
            return Ok(None);
        };
        let count = match value {
            AttributeValue::Whole(number) => u64::try_from(*number).ok(),
            AttributeValue::Real(number) => whole(*number),
            AttributeValue::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
        };
        let in_range = count.filter(|count| i64::try_from(*count).is_ok());
        in_range.map(Some).ok_or_else(|| Invalid::new(format!("{key} is no number of tokens")))
    }

    fn amount(&self, keys: &[&str]) -> Result<Option<f64>, Invalid> {
        let Some((key, value)) = keys.iter().find_map(|key| Some((key, self.0.get::<str>(key)?))) else {
            return Ok(None);
        };
        let amount = match value {
            #[expect(clippy::cast_precision_loss, reason = "no cost has more than 53 bits")]
            AttributeValue::Whole(number) => Some(*number as f64),
            AttributeValue::Real(number) => Some(*number),
            AttributeValue::Text(text) => text.trim().parse().ok(),
        };
        let sane = amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
        sane.map(Some).ok_or_else(|| Invalid::new(format!("{key} is no amount of dollars")))
    }
}

/// A whole number that is written as any number.
fn whole(number: f64) -> Option<u64> {
    /// Beyond this, not every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || !(0.0..=EXACT).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    Some(number as u64)
}

/// A log record or a span, as far as it is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signal {
    /// The names that it may go by, the most telling first: `event.name` is among the attributes.
    pub names: Vec<String>,
    /// When it happened, in nanoseconds since 1970; zero where it does not say.
    pub at: u64,
    /// When it was observed, likewise.
    pub observed: u64,
    /// What makes a span unique; `""` for a log record.
    pub span: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// What a client reports of a call to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedUsage {
    /// Whose model it is.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// The session of the client.
    pub session: Option<SessionName>,
    /// The instance that the client was started for.
    pub instance: Option<InstanceId>,
    /// When the call was made, if it is known.
    pub at: Option<Timestamp>,
    /// The id of the request. Where the client names none, one is made of the session, the time, the model and the tokens.
    pub request_id: String,
    /// Tokens sent, without those that came from a cache or went into it.
    pub tokens_in: u64,
    /// Tokens received.
    pub tokens_out: u64,
    /// Tokens sent that came from a cache.
    pub cache_read_tokens: u64,
    /// Tokens sent that were written into a cache.
    pub cache_write_tokens: u64,
    /// What it cost, if the client says so.
    pub cost_usd: Option<f64>,
}

/// The clients that report each call by an event of their own. What they say by the general conventions, they say again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Claude,
    Codex,
    Gemini,
    General,
}

impl Signal {
    /// Whether it may say something of a call: only then is it worth keeping until its resource is known.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        self.attributes.0.keys().any(|key| key.ends_with("tokens") || key.ends_with("token_count"))
    }

    /// What the signal says of a call to a model; `None` where it says nothing of one.
    ///
    /// # Errors
    /// When it is about a call and has a number that can't be one.
    pub fn usage(&self, resource: &Attributes) -> Result<Option<ReportedUsage>, Invalid> {
        let Some(source) = self.source(resource) else { return Ok(None) };
        let own = &self.attributes;
        let counts = match source {
            Source::Claude => Counts {
                input: own.count(&["input_tokens"])?,
                output: own.count(&["output_tokens"])?,
                cache_read: own.count(&["cache_read_tokens"])?,
                cache_write: own.count(&["cache_creation_tokens"])?,
            },
            Source::Codex => Counts {
                input: own.count(&["input_token_count"])?,
                output: own.count(&["output_token_count"])?,
                cache_read: own.count(&["cached_token_count"])?,
                cache_write: own.count(&["cache_write_token_count"])?,
            }
            .with_cached_counted_in(),
            Source::Gemini => {
                // Its thoughts are billed as its answer, and what tools answered as what was sent.
                let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
                    (None, None) => None,
                    (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
                };
                Counts {
                    input: sum(own.count(&["input_token_count"])?, own.count(&["tool_token_count"])?),
                    output: sum(own.count(&["output_token_count"])?, own.count(&["thoughts_token_count"])?),
                    cache_read: own.count(&["cached_content_token_count"])?,
                    cache_write: None,
                }
                .with_cached_counted_in()
            }
            Source::General => Counts {
                input: own.count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"])?,
                output: own.count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"])?,
                cache_read: own.count(&[
                    "gen_ai.usage.cache_read.input_tokens",
                    "gen_ai.usage.cache_read_input_tokens",
                    "ai.usage.cachedInputTokens",
                ])?,
                cache_write: own.count(&[
                    "gen_ai.usage.cache_creation.input_tokens",
                    "gen_ai.usage.cache_creation_input_tokens",
                ])?,
            }
            .with_cached_counted_in(),
        };
        // Codex ends each answer with two events, of which one has the tokens.
        if counts == Counts::default() {
            return Ok(None);
        }
        self.reported(source, counts, resource).map(Some)
    }

    /// Which client's way of reporting a call this is; `None` where it is about something else.
    fn source(&self, resource: &Attributes) -> Option<Source> {
        let own = &self.attributes;
        let service = resource.text(&["service.name"]).unwrap_or_default();
        let named = |wanted: &str| {
            own.text(&["event.name"]).is_some_and(|name| name == wanted)
                || self.names.iter().any(|name| name == wanted)
        };
        let is_claude = service.starts_with("claude-code");
        if named("claude_code.api_request") || (is_claude && named("api_request")) {
            return Some(Source::Claude);
        }
        if named("codex.sse_event") {
            let completed = own.text(&["event.kind"]) == Some("response.completed");
            return completed.then_some(Source::Codex);
        }
        if named("gemini_cli.api_response") {
            return Some(Source::Gemini);
        }
        if is_claude || service.starts_with("codex") || service.starts_with("gemini-cli") {
            return None;
        }
        // A span around several calls may carry their sum.
        let sums = ["invoke_agent", "create_agent", "execute_tool", "invoke_workflow"];
        let is_sum = own.text(&["gen_ai.operation.name"]).is_some_and(|name| sums.contains(&name));
        let counts = own.0.keys().any(|key| key.starts_with("gen_ai.usage."));
        (counts && !is_sum).then_some(Source::General)
    }

    fn reported(
        &self,
        source: Source,
        counts: Counts,
        resource: &Attributes,
    ) -> Result<ReportedUsage, Invalid> {
        let own = &self.attributes;
        let general = own.text(&["gen_ai.provider.name", "gen_ai.system"]).unwrap_or("unknown");
        let (provider, model) = match source {
            Source::Claude => ("anthropic", own.text(&["model"])),
            Source::Codex => ("openai", own.text(&["model", "slug"])),
            Source::Gemini => ("google", own.text(&["model"])),
            Source::General => (general, own.text(&["gen_ai.request.model", "gen_ai.response.model"])),
        };
        let model = line("model", model.unwrap_or("unknown"))?;
        let keys = ["session.id", "conversation.id", "gen_ai.conversation.id", "session_id", "thread.id"];
        let session = own.text(&keys).or_else(|| resource.text(&keys));
        let (at, tokens_in) = (self.time(), counts.input.unwrap_or(0));
        let (tokens_out, cost) =
            (counts.output.unwrap_or(0), own.amount(&["cost_usd", "gen_ai.usage.cost"])?);
        let (cache_read_tokens, cache_write_tokens) =
            (counts.cache_read.unwrap_or(0), counts.cache_write.unwrap_or(0));
        let named = own.text(&["request_id", "response_id", "gen_ai.response.id"]);
        let request_id = match named {
            Some(id) => line("request_id", id)?,
            None if !self.span.is_empty() => format!("span-{}", self.span),
            None => {
                let time =
                    own.text(&["event.timestamp"]).map_or_else(|| self.nanos().to_string(), str::to_owned);
                let session = session.unwrap_or_default();
                let text = format!(
                    "{session}\n{time}\n{model}\n{tokens_in} {tokens_out} {cache_read_tokens} {cache_write_tokens}"
                );
                format!("made-{:.32}", Hash::of(text.as_bytes()).to_string())
            }
        };
        Ok(ReportedUsage {
            provider: line("provider", provider)?,
            model,
            session: session.map(SessionName::new).transpose()?,
            instance: resource.text(&["koor.instance"]).and_then(|id| id.parse().ok()),
            at,
            request_id,
            tokens_in,
            tokens_out,
            cache_read_tokens,
            cache_write_tokens,
            cost_usd: cost,
        })
    }

    fn nanos(&self) -> u64 {
        if self.at > 0 { self.at } else { self.observed }
    }

    fn time(&self) -> Option<Timestamp> {
        let of_nanos = |nanos: u64| {
            (nanos > 0).then(|| Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)))
        };
        let written = || self.attributes.text(&["event.timestamp"])?.parse().ok();
        of_nanos(self.at).or_else(written).or_else(|| of_nanos(self.observed))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

impl Counts {
    /// Takes the tokens of caches out of the input, into which the client has counted them.
    fn with_cached_counted_in(self) -> Self {
        let cached = self.cache_read.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        Self { input: self.input.map(|input| input.saturating_sub(cached)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, AttributeValue)]) -> Attributes {
        let mut attributes = Attributes::default();
        for (key, value) in pairs {
            attributes.add(key, || Some(value.clone()));
        }
        attributes
    }

    fn text(text: &str) -> AttributeValue {
        AttributeValue::Text(text.to_owned())
    }

    fn usage(
        service: &str,
        names: &[&str],
        pairs: &[(&str, AttributeValue)],
    ) -> Result<Option<ReportedUsage>, Invalid> {
        let signal = Signal {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            observed: 1_796_009_237_723_826_059,
            attributes: attributes(pairs),
            ..Signal::default()
        };
        signal.usage(&attributes(&[("service.name", text(service))]))
    }

    fn tokens(reported: &ReportedUsage) -> (u64, u64, u64, u64) {
        let ReportedUsage { tokens_in, tokens_out, cache_read_tokens, cache_write_tokens, .. } = reported;
        (*tokens_in, *tokens_out, *cache_read_tokens, *cache_write_tokens)
    }

    use AttributeValue::{Real, Whole};

    #[test]
    fn what_is_read_is_in_order() {
        assert!(READ.is_sorted(), "it is searched by halves");
    }

    #[test]
    fn prompts_are_dropped_where_they_come_in() {
        let kept = attributes(&[
            ("prompt", text("secret")),
            ("gen_ai.input.messages", text("secret")),
            ("model", text(&"x".repeat(1025))),
        ]);
        assert_eq!(kept, Attributes::default());
    }

    #[test]
    fn claude_counts_caches_apart() {
        let pairs = [
            ("event.name", text("api_request")),
            ("input_tokens", Whole(5)),
            ("output_tokens", text("7")),
            ("cache_read_tokens", Whole(100)),
            ("cache_creation_tokens", Real(30.0)),
            ("cost_usd", Real(0.5)),
            ("session.id", text("s")),
            ("model", text("m")),
            ("request_id", text("req_1")),
        ];
        let found = usage("claude-code", &["claude_code.api_request"], &pairs).unwrap().unwrap();
        assert_eq!((tokens(&found), found.cost_usd), ((5, 7, 100, 30), Some(0.5)));
        assert_eq!((found.request_id.as_str(), found.session.unwrap().as_str()), ("req_1", "s"));
        assert_eq!(usage("other", &[], &pairs).unwrap(), None);
        assert!(usage("claude-code", &[], &pairs).unwrap().is_some());
    }

    #[test]
    fn codex_and_gemini_count_cached_tokens_in() {
        let codex = [
            ("event.name", text("codex.sse_event")),
            ("event.kind", text("response.completed")),
            ("input_token_count", text("1000")),
            ("output_token_count", text("20")),
            ("cached_token_count", text("900")),
            ("conversation.id", text("c")),
            ("model", text("m")),
        ];
        let found = usage("codex_exec", &[], &codex).unwrap().unwrap();
        assert_eq!(tokens(&found), (100, 20, 900, 0));
        assert!(found.request_id.starts_with("made-"), "{}", found.request_id);
        assert_eq!(usage("codex_exec", &[], &codex[..2]).unwrap(), None, "the event without tokens");
        let gemini = [
            ("event.name", text("gemini_cli.api_response")),
            ("input_token_count", Whole(1000)),
            ("cached_content_token_count", Whole(400)),
            ("output_token_count", Whole(20)),
            ("thoughts_token_count", Whole(5)),
        ];
        assert_eq!(tokens(&usage("gemini-cli", &[], &gemini).unwrap().unwrap()), (600, 25, 400, 0));
    }

    #[test]
    fn the_general_conventions_count_once() {
        let pairs = [
            ("gen_ai.request.model", text("m")),
            ("gen_ai.usage.input_tokens", Whole(10)),
            ("gen_ai.usage.output_tokens", Whole(2)),
            ("gen_ai.system", text("x")),
        ];
        let found = usage("opencode", &[], &pairs).unwrap().unwrap();
        assert_eq!((tokens(&found), found.provider.as_str()), ((10, 2, 0, 0), "x"));
        for service in ["gemini-cli", "codex_exec", "claude-code"] {
            assert_eq!(usage(service, &[], &pairs).unwrap(), None, "{service} has an event of its own");
        }
        let mut sum = pairs.to_vec();
        sum.push(("gen_ai.operation.name", text("invoke_agent")));
        assert_eq!(usage("opencode", &[], &sum).unwrap(), None);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        for wrong in
            [Whole(-1), Real(1.5), Real(f64::NAN), text("many"), text("-1"), text("99999999999999999999")]
        {
            let pairs =
                [("event.name", text("gemini_cli.api_response")), ("input_token_count", wrong.clone())];
            assert!(usage("gemini-cli", &[], &pairs).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_same_record_has_the_same_id_and_another_another() {
        let pairs = |time: &str| {
            [
                ("event.name", text("gemini_cli.api_response")),
                ("input_token_count", Whole(1)),
                ("event.timestamp", text(time)),
            ]
        };
        let id = |time| usage("gemini-cli", &[], &pairs(time)).unwrap().unwrap().request_id;
        assert_eq!(id("2026-11-30T03:26:43.297Z"), id("2026-11-30T03:26:43.297Z"));
        assert_ne!(id("2026-11-30T03:26:43.297Z"), id("2026-11-30T03:26:43.298Z"));
    }
}
