//! What models cost: `koor llm prices`.

use std::path::PathBuf;

use clap::Args;
use koor_core::domain::prices::{AS_OF, PriceTable};
use serde_json::{Value, json};

use crate::{
    context::Context,
    exit::{self, Failure},
    output::{Column, Kind, Rows, Table},
    price_file,
};

/// Which prices.
#[derive(Debug, Args)]
pub(crate) struct Prices {
    /// JSON file with prices in place of the built-in ones, as for `koor serve --prices`
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

const PRICES: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("MODEL", "/model", Kind::Name),
        Column("INPUT", "/input", Kind::Number),
        Column("OUTPUT", "/output", Kind::Number),
        Column("CACHE READ", "/cache_read", Kind::Number),
        Column("CACHE WRITE", "/cache_write", Kind::Number),
    ],
    empty: "no prices",
};

/// Prints the table.
///
/// # Errors
/// When the file is no good, or the output can't be written.
pub(super) fn run(which: &Prices, context: &Context) -> Result<(), Failure> {
    let table = match &which.prices {
        Some(path) => price_file::read(path).map_err(Failure::refused)?,
        None => PriceTable::default(),
    };
    let rows: Vec<Value> = table
        .iter()
        .map(|(model, price)| {
            json!({
                "model": model, "input": price.input, "output": price.output,
                "cache_read": price.cache_read, "cache_write": price.cache_write,
            })
        })
        .collect();
    context.output.table(Value::from(rows).to_string().as_bytes(), &PRICES)?;
    if context.output.is_for_people() {
        exit::warn(format_args!("US dollars per million tokens; the built-in prices are as of {AS_OF}"));
    }
    Ok(())
}
