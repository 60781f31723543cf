//! What models cost, for clients that report tokens and no dollars.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Invalid;

/// When the prices that come with this program were looked up.
pub const AS_OF: &str = "2025-11-30";

/// What a model costs, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens sent.
    pub input: f64,
    /// Tokens received.
    pub output: f64,
    /// Tokens sent that come from a cache; as `input`, unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Tokens sent that go into a cache; as `input`, unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

/// The tokens of a call to a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Sent, without those that came from a cache or went into it.
    pub input: u64,
    /// Received.
    pub output: u64,
    /// Sent, and taken from a cache.
    pub cache_read: u64,
    /// Sent, and written into a cache.
    pub cache_write: u64,
}

impl Price {
    /// What so many tokens cost, in US dollars.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a price need not be exact beyond 2^53 tokens")]
    pub fn of(&self, tokens: Tokens) -> f64 {
        let each = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read.unwrap_or(self.input)),
            (tokens.cache_write, self.cache_write.unwrap_or(self.input)),
        ];
        each.into_iter().map(|(tokens, price)| tokens as f64 * price).sum::<f64>() / 1e6
    }
}

/// Prices by model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PriceTable(BTreeMap<String, Price>);

/// Model, input, output, cache read, cache write. A price of zero for a cache stands for none of its own.
const BUILT_IN: &[(&str, f64, f64, f64, f64)] = &[
    ("claude-3-5-haiku", 0.8, 4.0, 0.08, 1.0),
    ("claude-3-7-sonnet", 3.0, 15.0, 0.3, 3.75),
    ("claude-haiku-4-5", 1.0, 5.0, 0.1, 1.25),
    ("claude-opus-4", 15.0, 75.0, 1.5, 18.75),
    ("claude-opus-4-1", 15.0, 75.0, 1.5, 18.75),
    ("claude-opus-4-5", 5.0, 25.0, 0.5, 6.25),
    ("claude-sonnet-4", 3.0, 15.0, 0.3, 3.75),
    ("claude-sonnet-4-5", 3.0, 15.0, 0.3, 3.75),
    ("gemini-2.0-flash", 0.1, 0.4, 0.025, 0.0),
    ("gemini-2.5-flash", 0.3, 2.5, 0.03, 0.0),
    ("gemini-2.5-flash-lite", 0.1, 0.4, 0.01, 0.0),
    ("gemini-2.5-pro", 1.25, 10.0, 0.125, 0.0),
    ("gemini-3-pro-preview", 2.0, 12.0, 0.2, 0.0),
    ("gpt-4.1", 2.0, 8.0, 0.5, 0.0),
    ("gpt-4.1-mini", 0.4, 1.6, 0.1, 0.0),
    ("gpt-4.1-nano", 0.1, 0.4, 0.025, 0.0),
    ("gpt-4o", 2.5, 10.0, 1.25, 0.0),
    ("gpt-4o-mini", 0.15, 0.6, 0.075, 0.0),
    ("gpt-5", 1.25, 10.0, 0.125, 0.0),
    ("gpt-5-codex", 1.25, 10.0, 0.125, 0.0),
    ("gpt-5-mini", 0.25, 2.0, 0.025, 0.0),
    ("gpt-5-nano", 0.05, 0.4, 0.005, 0.0),
    ("gpt-5.1", 1.25, 10.0, 0.125, 0.0),
    ("gpt-5.1-codex", 1.25, 10.0, 0.125, 0.0),
    ("gpt-5.1-codex-mini", 0.25, 2.0, 0.025, 0.0),
    ("o3", 2.0, 8.0, 0.5, 0.0),
    ("o4-mini", 1.1, 4.4, 0.275, 0.0),
];

impl Default for PriceTable {
    /// The prices that come with this program, as of [`AS_OF`].
    fn default() -> Self {
        let own = |price: f64| (price > 0.0).then_some(price);
        let entry = |&(model, input, output, cache_read, cache_write): &(&str, f64, f64, f64, f64)| {
            let price = Price { input, output, cache_read: own(cache_read), cache_write: own(cache_write) };
            (model.to_owned(), price)
        };
        Self(BUILT_IN.iter().map(entry).collect())
    }
}

impl PriceTable {
    /// The same with the prices of a JSON object `{model: {input, output, cache_read, cache_write}}` instead of its own.
    ///
    /// # Errors
    /// When the text is no such object, or a price is negative.
    pub fn overridden(mut self, json: &str) -> Result<Self, Invalid> {
        let others: BTreeMap<String, Price> = serde_json::from_str(json)
            .map_err(|error| Invalid::new(format!("prices must be {{model: {{input, output}}}}: {error}")))?;
        for (model, price) in others {
            let prices = [Some(price.input), Some(price.output), price.cache_read, price.cache_write];
            if prices.into_iter().flatten().any(|price| !price.is_finite() || price < 0.0) {
                return Err(Invalid::new(format!("a price of {model} is negative")));
            }
            self.0.insert(model, price);
        }
        Ok(self)
    }

    /// The prices, by model.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Price)> {
        self.0.iter().map(|(model, price)| (model.as_str(), price))
    }

    /// What a model costs. Its name may have a provider in front of it, and a date or a version behind it.
    #[must_use]
    pub fn price(&self, model: &str) -> Option<&Price> {
        let exact = self.0.get(model);
        exact.or_else(|| {
            let name = model.rsplit('/').next().unwrap_or(model);
            let name = name.split(['@', ':']).next().unwrap_or(name);
            self.0.get(name).or_else(|| self.0.get(undated(name)))
        })
    }
}

/// The name without the date at its end, or `-latest`. Any other end may be another model: `gpt-5-mini` is none of `gpt-5`.
fn undated(name: &str) -> &str {
    let digits = |text: &str, long: usize| text.len() == long && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(bare) = name.strip_suffix("-latest") {
        return bare;
    }
    if let Some((bare, end)) = name.rsplit_once('-')
        && digits(end, 8)
    {
        return bare;
    }
    let mut parts = name.rsplitn(4, '-');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(day), Some(month), Some(year), Some(bare))
            if digits(day, 2) && digits(month, 2) && digits(year, 4) =>
        {
            bare
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_with_a_date_and_never_as_another_one() {
        let table = PriceTable::default();
        let input = |model| table.price(model).map(|price| price.input);
        for (model, expected) in [
            ("gpt-5", Some(1.25)),
            ("gpt-5-mini", Some(0.25)),
            ("gpt-5-2025-08-07", Some(1.25)),
            ("openai/gpt-5", Some(1.25)),
            ("claude-opus-4-5-20251101", Some(5.0)),
            ("claude-opus-4-5@20251101", Some(5.0)),
            ("claude-3-5-haiku-latest", Some(0.8)),
            ("claude-opus-4-9", None),
            ("gpt-5-giant", None),
            ("gpt-6.1-sol", None),
            ("", None),
        ] {
            assert_eq!(input(model), expected, "{model}");
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let tokens =
            Tokens { input: 1_000_000, output: 100_000, cache_read: 2_000_000, cache_write: 400_000 };
        let sonnet = PriceTable::default().price("claude-sonnet-4-5").unwrap().of(tokens);
        assert!((sonnet - (3.0 + 1.5 + 0.6 + 1.5)).abs() < 1e-9, "{sonnet}");
        let bare = Price { input: 2.0, output: 0.0, cache_read: None, cache_write: None };
        assert!((bare.of(tokens) - (2.0 + 4.0 + 0.8)).abs() < 1e-9);
    }

    #[test]
    fn own_prices_replace_and_add() {
        let table = PriceTable::default();
        let own =
            table.clone().overridden(r#"{"gpt-5":{"input":1,"output":2},"mine":{"input":3,"output":4}}"#);
        let own = own.unwrap();
        assert_eq!(own.price("mine").unwrap().output.to_string(), "4");
        assert_eq!(own.price("gpt-5-2025-08-07").unwrap().input.to_string(), "1");
        assert_eq!(own.iter().count(), table.iter().count() + 1);
        for wrong in [
            "",
            "[]",
            r#"{"x":{}}"#,
            r#"{"x":{"input":-1,"output":1}}"#,
            r#"{"x":{"input":1,"output":1,"cached":1}}"#,
        ] {
            assert!(PriceTable::default().overridden(wrong).is_err(), "{wrong}");
        }
    }
}
