//! What recording by hand and recording by report have in common.

use serde_json::json;

use crate::{
    announcement::SystemTopic,
    command::CommandContext,
    domain::{prices::Tokens, usage::UsageRecord},
    error::Error,
};

/// What a call cost: what the client says, else what the price table says, else nothing that is known.
pub(super) fn cost(cx: &CommandContext<'_>, model: &str, said: Option<f64>, tokens: Tokens) -> (f64, bool) {
    let known = said.or_else(|| cx.settings.prices.price(model).map(|price| price.of(tokens)));
    known.map_or((0.0, false), |cost| (cost, true))
}

/// Announces a record.
pub(super) fn announce(cx: &mut CommandContext<'_>, record: &UsageRecord) -> Result<(), Error> {
    let data = json!({
        "instance_id": record.instance_id, "project": record.project, "model": record.model,
        "tokens_in": record.tokens_in, "tokens_out": record.tokens_out,
        "cost_usd": record.cost_usd, "session_tag": record.session_tag,
    });
    cx.announce(SystemTopic::UsageRecorded, &data)
}
