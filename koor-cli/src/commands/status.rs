//! Whether the server can do its work.

use serde_json::{Value, json};

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

pub(crate) const EXAMPLES: &str = "\
A server that can't write, or that can't be reached, is no success: the exit code is 1, or 3.

Examples:
  koor status
  koor status --server http://build-box:9800";

const TABLE: Table = Table {
    rows: Rows::Fields,
    columns: &[
        Column("server", "/server", Kind::Name),
        Column("status", "/status", Kind::State),
        Column("version", "/version", Kind::Text),
        Column("uptime", "/uptime", Kind::Text),
        Column("instances", "/metrics/instances", Kind::Text),
        Column("state keys", "/metrics/state_keys", Kind::Text),
        Column("last event", "/metrics/last_event_id", Kind::Text),
        Column("calls", "/metrics/token_tax/total_calls", Kind::Text),
    ],
    empty: "",
};

/// Asks the server, and prints what it says of itself.
///
/// # Errors
/// When it can't do its work, or can't be reached.
pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let health = context.client.get("/health").send()?.bytes()?;
    if !context.output.is_for_people() {
        return context.output.json(&health);
    }
    // Its health is everybody's business, its numbers are not.
    let metrics: Value = context.client.get("/api/metrics").send()?.json()?;
    let mut all: Value = serde_json::from_slice(&health).unwrap_or_default();
    if let Value::Object(fields) = &mut all {
        fields.insert("server".to_owned(), json!(context.client.server()));
        fields.insert("metrics".to_owned(), metrics);
    }
    context.output.table(all.to_string().as_bytes(), &TABLE)
}
