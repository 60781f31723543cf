//! Tables of JSON, for people.

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

/// What stands between two columns.
const GAP: &str = "  ";

/// The least that is left of a column where a terminal is too narrow.
const NARROWEST: usize = 10;

/// How an answer is shown as a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) rows: Rows,
    pub(crate) columns: &'static [Column],
    /// What is said when there is no row.
    pub(crate) empty: &'static str,
}

/// Where the rows are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    /// The answer is an array of them.
    Whole,
    /// The answer has an array of them in that field.
    In(&'static str),
    /// The answer has an object in the first field, with one row for each of its fields, and another row in the second.
    /// What a row is called becomes its field `_`.
    Named(&'static str, &'static str),
    /// The answer is an object, with one row for each column.
    Fields,
}

/// One column: its title, the field that it shows as a JSON pointer, and what that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str, pub(crate) Kind);

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, or JSON where it is none. Shortened where a terminal is too narrow.
    Text,
    /// What a row is called by.
    Name,
    /// A number, to the right.
    Number,
    /// A number of bytes.
    Bytes,
    /// A time, in the zone of the table, down to seconds.
    Time,
    /// A remark on the row above.
    Aside,
    /// A word that says whether all is well.
    State,
    /// The first half of a SHA-256 and less: enough to tell two apart.
    Hash,
}

impl Table {
    /// The table as text. A terminal has a width; without one, nothing is shortened.
    /// Times are shown in the given zone.
    pub(super) fn render(
        &self,
        answer: Value,
        width: Option<usize>,
        colours: bool,
        zone: FixedOffset,
    ) -> String {
        if matches!(self.rows, Rows::Fields) {
            return self.render_fields(&answer, colours, zone);
        }
        let rows = self.rows.of(answer);
        if rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| self.columns.iter().map(|column| column.text(row, zone)).collect())
            .collect();
        let titles: Vec<String> = self.columns.iter().map(|column| column.title(zone)).collect();
        let widths = self.widths(&titles, &cells, width);
        let style = |style: Style| if colours { style } else { Style::new() };
        let mut out = String::new();
        self.push_row(&mut out, &titles, &widths, |_, _| style(Style::new().bold()));
        for row in &cells {
            self.push_row(&mut out, row, &widths, |column, text| style(column.style(text)));
        }
        out
    }

    fn render_fields(&self, answer: &Value, colours: bool, zone: FixedOffset) -> String {
        let titles: Vec<String> = self.columns.iter().map(|column| column.title(zone)).collect();
        let width = titles.iter().map(|title| title.width()).max().unwrap_or(0);
        let mut out = String::new();
        for (column, title) in self.columns.iter().zip(titles) {
            let text = column.text(answer, zone);
            let style = if colours { column.style(&text) } else { Style::new() };
            out.push_str(&padded(&title, width, false));
            out.push_str(GAP);
            push(&mut out, style, &text);
            out.push('\n');
        }
        out
    }

    fn push_row(
        &self,
        out: &mut String,
        row: &[String],
        widths: &[usize],
        style: impl Fn(&Column, &str) -> Style,
    ) {
        let last = self.columns.len().saturating_sub(1);
        for (place, ((column, text), width)) in self.columns.iter().zip(row).zip(widths).enumerate() {
            let right = matches!(column.2, Kind::Number | Kind::Bytes);
            let shown = shortened(text, *width);
            // The last column ends with its text.
            let shown = if place == last && !right { shown } else { padded(&shown, *width, right) };
            let style = style(column, text);
            push(out, style, &shown);
            out.push_str(if place == last { "\n" } else { GAP });
        }
    }

    /// How wide each column is: as wide as its widest text, unless a terminal is too narrow for all of them.
    fn widths(&self, titles: &[String], cells: &[Vec<String>], room: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = titles.iter().map(|title| title.width()).collect();
        for row in cells {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.width());
            }
        }
        let Some(room) = room else { return widths };
        let room = room.saturating_sub(GAP.len() * widths.len().saturating_sub(1));
        let mut over = widths.iter().sum::<usize>().saturating_sub(room);
        while over > 0 {
            let widest = widths
                .iter_mut()
                .zip(self.columns)
                .filter(|(width, column)| column.2 == Kind::Text && **width > NARROWEST)
                .map(|(width, _)| width)
                .max();
            let Some(widest) = widest else { break };
            *widest -= 1;
            over -= 1;
        }
        widths
    }
}

impl Rows {
    fn of(self, answer: Value) -> Vec<Value> {
        let array = |value: Value| match value {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        match (self, answer) {
            (Self::Whole, answer) => array(answer),
            (Self::In(field), mut answer) => {
                answer.get_mut(field).map(Value::take).map(array).unwrap_or_default()
            }
            (Self::Named(all, last), mut answer) => {
                let named = |name: String, mut row: Value| {
                    if let Value::Object(fields) = &mut row {
                        fields.insert("_".to_owned(), Value::String(name));
                    }
                    row
                };
                match answer.get_mut(all).map(Value::take) {
                    Some(Value::Object(rows)) if !rows.is_empty() => {
                        let last = answer.get_mut(last).map(|row| named(last.to_owned(), row.take()));
                        rows.into_iter().map(|(name, row)| named(name, row)).chain(last).collect()
                    }
                    Some(_) | None => Vec::new(),
                }
            }
            (Self::Fields, answer) => vec![answer],
        }
    }
}

impl Column {
    /// The title; that of a time names the zone.
    fn title(&self, zone: FixedOffset) -> String {
        if self.2 == Kind::Time { format!("{} ({zone})", self.0) } else { self.0.to_owned() }
    }

    fn text(&self, row: &Value, zone: FixedOffset) -> String {
        let Some(value) = row.pointer(self.1) else { return String::new() };
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let text = match (self.2, value) {
            (Kind::Bytes, Value::Number(bytes)) => bytes.as_u64().map_or(text, size),
            (Kind::Time, _) => match DateTime::parse_from_rfc3339(&text) {
                Ok(time) => time.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
                Err(_) => text,
            },
            (Kind::Hash, _) => text.get(..12).map_or_else(|| text.clone(), ToOwned::to_owned),
            _ => text,
        };
        harmless(&text)
    }

    fn style(&self, text: &str) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self.2 {
            Kind::Name => colour(AnsiColor::Cyan),
            Kind::Time | Kind::Aside | Kind::Hash => Style::new().dimmed(),
            Kind::State => match text {
                "active" | "accepted" | "ok" | "success" | "true" => colour(AnsiColor::Green),
                "pending" | "proposed" | "warning" | "stale" => colour(AnsiColor::Yellow),
                "error" | "denied" | "rejected" | "degraded" | "false" => colour(AnsiColor::Red),
                _ => Style::new(),
            },
            Kind::Text | Kind::Number | Kind::Bytes => Style::new(),
        }
    }
}

/// What others wrote must not move a terminal's cursor, nor colour it.
fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

fn push(out: &mut String, style: Style, text: &str) {
    out.push_str(&style.render().to_string());
    out.push_str(text);
    out.push_str(&style.render_reset().to_string());
}

fn padded(text: &str, width: usize, right: bool) -> String {
    let room = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("{room}{text}") } else { format!("{text}{room}") }
}

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut out = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// A number of bytes as people read it.
pub(crate) fn size(bytes: u64) -> String {
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    let mut whole = bytes;
    let mut tenths = 0;
    for next in units {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "B" || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: Table = Table {
        rows: Rows::Whole,
        columns: &[
            Column("NAME", "/name", Kind::Name),
            Column("SIZE", "/size", Kind::Bytes),
            Column("NOTE", "/note", Kind::Text),
        ],
        empty: "nothing",
    };

    fn utc() -> FixedOffset {
        FixedOffset::east_opt(0).unwrap()
    }

    #[test]
    fn times_are_in_the_zone_that_the_title_names() {
        const TIMES: Table =
            Table { rows: Rows::Whole, columns: &[Column("AT", "/at", Kind::Time)], empty: "none" };
        let rows = || json!([{"at": "2026-02-09T23:30:00.123Z"}, {"at": "never"}]);
        let east = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
        let table = "AT (+05:30)\n2026-02-10 05:00:00\nnever\n";
        assert_eq!(TIMES.render(rows(), None, false, east), table);
        assert_eq!(TIMES.render(rows(), None, false, utc()), "AT (+00:00)\n2026-02-09 23:30:00\nnever\n");
    }

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let rows = json!([
            {"name": "a", "size": 7, "note": "x"},
            {"name": "日本", "size": 10_485_760, "note": ["p", "q"]},
        ]);
        let table = "NAME      SIZE  NOTE\na          7 B  x\n日本  10.0 MiB  p,q\n";
        assert_eq!(TABLE.render(rows, None, false, utc()), table);
        assert_eq!(TABLE.render(json!([]), None, false, utc()), "nothing\n");
    }

    #[test]
    fn a_narrow_terminal_shortens_text_and_never_a_name() {
        let rows =
            json!([{"name": "a-rather-long-name", "size": 1, "note": "a note that is far too long for it"}]);
        let table = TABLE.render(rows, Some(40), false, utc());
        let longest = table.lines().map(UnicodeWidthStr::width).max();
        assert_eq!(longest, Some(40), "{table}");
        assert!(table.contains("a-rather-long-name") && table.ends_with("…\n"), "{table}");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        let rows = json!([{"name": "\u{1b}[2Jx\ny", "size": 1, "note": "\u{7}"}]);
        let table = TABLE.render(rows, None, true, utc());
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(table.contains(r"\u{1b}[2Jx\ny") && !table.contains('\u{7}'), "{table}");
    }

    #[test]
    fn groups_are_rows_and_their_sum_is_the_last() {
        const SUMS: Table = Table {
            rows: Rows::Named("groups", "total"),
            columns: &[Column("GROUP", "/_", Kind::Name), Column("N", "/n", Kind::Number)],
            empty: "none",
        };
        let answer = json!({"groups": {"b": {"n": 2}, "a": {"n": 1}}, "total": {"n": 3}});
        assert_eq!(SUMS.render(answer, None, false, utc()), "GROUP  N\na      1\nb      2\ntotal  3\n");
        assert_eq!(SUMS.render(json!({"groups": {}, "total": {"n": 0}}), None, false, utc()), "none\n");
    }

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 1023, 1024, 10_485_760, 524_288_000, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "10.0 MiB", "500 MiB", "16777215 TiB"]);
    }
}
