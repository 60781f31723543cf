//! What the original server kept: its tables, row by row. Nothing in them is believed yet.

use std::collections::BTreeMap;

use crate::{clock::Timestamp, domain::RawJson, error::Invalid};

/// A value as the original's database holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The database of an original server. Older ones lack some tables and columns.
#[derive(Debug, Default)]
pub struct Original {
    tables: BTreeMap<&'static str, Vec<Row>>,
}

impl Original {
    /// The tables that have something in them for us.
    pub const TABLES: [&'static str; 12] = [
        "state",
        "state_history",
        "specs",
        "events",
        "instances",
        "validation_rules",
        "webhooks",
        "compliance_runs",
        "templates",
        "audit_log",
        "agent_metrics",
        "llm_usage",
    ];

    /// Adds a table, its rows in the order in which they were written.
    pub fn add(&mut self, table: &'static str, rows: Vec<Row>) {
        self.tables.insert(table, rows);
    }

    /// The rows of a table; none, where there is no such table.
    pub(crate) fn take(&mut self, table: &'static str) -> Vec<Row> {
        self.tables.remove(table).unwrap_or_default()
    }
}

/// One row, by column. What is not there and what is null are the same; so are text and bytes that are UTF-8.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row(BTreeMap<String, Cell>);

impl FromIterator<(String, Cell)> for Row {
    fn from_iter<I: IntoIterator<Item = (String, Cell)>>(columns: I) -> Self {
        Self(columns.into_iter().filter(|(_, cell)| *cell != Cell::Null).collect())
    }
}

impl Row {
    /// A text; empty where there is none.
    pub(crate) fn text(&self, column: &str) -> Result<String, Invalid> {
        Ok(self.given(column)?.unwrap_or_default())
    }

    /// A text, if there is one.
    pub(crate) fn given(&self, column: &str) -> Result<Option<String>, Invalid> {
        Ok(match self.0.get(column) {
            None | Some(Cell::Null) => None,
            Some(Cell::Text(text)) => Some(text.clone()),
            Some(Cell::Integer(number)) => Some(number.to_string()),
            Some(Cell::Real(number)) => Some(number.to_string()),
            Some(Cell::Bytes(bytes)) => Some(
                String::from_utf8(bytes.clone())
                    .map_err(|_| Invalid::new(format!("{column} is not UTF-8")))?,
            ),
        })
    }

    /// Bytes, whatever they are kept as, from the first of these columns that is there.
    pub(crate) fn bytes(&self, columns: &[&str]) -> Option<Vec<u8>> {
        columns.iter().find_map(|column| match self.0.get(*column)? {
            Cell::Bytes(bytes) => Some(bytes.clone()),
            Cell::Text(text) => Some(text.clone().into_bytes()),
            Cell::Integer(number) => Some(number.to_string().into_bytes()),
            Cell::Real(number) => Some(number.to_string().into_bytes()),
            Cell::Null => None,
        })
    }

    /// A whole number from zero up; zero where there is none.
    pub(crate) fn count(&self, column: &str) -> Result<u64, Invalid> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| Invalid::new(format!("{column} is {text:?}, a count is needed")))
    }

    /// A number; zero where there is none.
    pub(crate) fn number(&self, column: &str) -> Result<f64, Invalid> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(0.0);
        }
        text.parse().map_err(|_| Invalid::new(format!("{column} is {text:?}, a number is needed")))
    }

    /// A yes or no, as a number or a word.
    pub(crate) fn flag(&self, column: &str, default: bool) -> Result<bool, Invalid> {
        match self.text(column)?.as_str() {
            "" => Ok(default),
            "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            other => Err(Invalid::new(format!("{column} is {other:?}, neither 0 nor 1"))),
        }
    }

    /// A list of texts, kept as a JSON array or with commas between them.
    pub(crate) fn list(&self, column: &str) -> Result<Vec<String>, Invalid> {
        let text = self.text(column)?;
        let text = text.trim();
        if text.is_empty() || text == "null" {
            return Ok(Vec::new());
        }
        if text.starts_with('[') {
            return serde_json::from_str(text)
                .map_err(|error| Invalid::new(format!("{column} is no list: {error}")));
        }
        Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
    }

    /// JSON, as it stands; `null` where there is none.
    pub(crate) fn json(&self, column: &str) -> Result<RawJson, Invalid> {
        match self.text(column)?.trim() {
            "" => Ok(RawJson::null()),
            text => RawJson::parse(text).map_err(|error| Invalid::new(format!("{column}: {error}"))),
        }
    }

    /// A moment, from the first of these columns that has one: `2026-02-09 14:30:00` is UTC, a number counts seconds.
    pub(crate) fn time(&self, columns: &[&str]) -> Result<Option<Timestamp>, Invalid> {
        for column in columns {
            match self.0.get(*column) {
                None | Some(Cell::Null) => {}
                Some(Cell::Integer(seconds)) => {
                    return Ok(Some(Timestamp::from_millis(seconds.saturating_mul(1000))));
                }
                Some(Cell::Text(_) | Cell::Bytes(_) | Cell::Real(_)) => {
                    let text = self.text(column)?;
                    if !text.is_empty() {
                        return moment(column, &text).map(Some);
                    }
                }
            }
        }
        Ok(None)
    }
}

fn moment(column: &str, text: &str) -> Result<Timestamp, Invalid> {
    // As its driver writes a time that it was given as one.
    let plain = text.strip_suffix(" UTC").unwrap_or(text);
    let plain = plain.strip_suffix(" +0000").unwrap_or(plain);
    Timestamp::parse_from(column, &plain.replacen(' ', "T", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cell: Cell) -> Row {
        [("x".to_owned(), cell)].into_iter().collect()
    }

    fn text(text: &str) -> Row {
        row(Cell::Text(text.into()))
    }

    #[test]
    fn times_of_the_original_are_utc() {
        let at = |row: Row| row.time(&["gone", "x"]).map(|time| time.map(|time| time.to_string()));
        let due = Ok(Some("2026-02-09T14:30:00.000Z".to_owned()));
        assert_eq!(at(text("2026-02-09 14:30:00")), due);
        assert_eq!(at(text("2026-02-09T14:30:00Z")), due);
        assert_eq!(at(text("2026-02-09 14:30:00 +0000 UTC")), due);
        assert_eq!(at(row(Cell::Integer(1_770_647_400))), due);
        assert_eq!(at(text("")), Ok(None));
        assert_eq!(at(Row::default()), Ok(None));
        assert!(at(text("yesterday")).is_err());
    }

    #[test]
    fn lists_are_json_or_have_commas() {
        assert_eq!(text(r#"["a","b c"]"#).list("x"), Ok(vec!["a".into(), "b c".into()]));
        assert_eq!(text("a, b").list("x"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(text("").list("x"), Ok(vec![]));
        assert!(text("[1").list("x").is_err());
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let error = text("many").count("x").unwrap_err().to_string();
        assert_eq!(error, "x is \"many\", a count is needed");
        assert!(text("-1").count("x").is_err());
        assert_eq!(row(Cell::Integer(7)).count("x"), Ok(7));
        assert_eq!(row(Cell::Real(0.5)).number("x"), Ok(0.5));
        assert_eq!(Row::default().flag("x", true), Ok(true));
    }

    #[test]
    fn bytes_come_as_they_are() {
        assert_eq!(row(Cell::Bytes(vec![0, 255])).bytes(&["y", "x"]), Some(vec![0, 255]));
        assert!(row(Cell::Bytes(vec![255])).text("x").is_err());
    }
}
