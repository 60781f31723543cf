//! Log lines as plain text: what the library's own formatter writes, at a fraction of its cost. There is one for each
//! request, and it was a third of what a request costs.

use std::{
    cell::Cell,
    fmt::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use koor_core::clock::Timestamp;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Writes an event as `<time> <level> <target>: <message> <name>=<value>…`. Spans are left out: none are opened.
pub(super) struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // Taken out, and not borrowed: what a field shows of itself may log something, too.
        let mut line = LINE.take();
        line.begin();
        let metadata = event.metadata();
        line.text.push_str(match *metadata.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        });
        line.text.push_str(metadata.target());
        line.text.push(':');
        event.record(&mut line);
        line.text.push('\n');
        // Piece by piece, each would be a call through a pointer.
        let written = out.write_str(&line.text);
        LINE.set(line);
        written
    }
}

thread_local! {
    static LINE: Cell<Line> = const { Cell::new(Line { text: String::new(), second: 0, shown: String::new() }) };
}

/// A line that is being written, and what the next one can use of it.
#[derive(Default)]
struct Line {
    text: String,
    /// The second of the last line, and how it is written: under load, thousands of lines share one.
    second: u64,
    shown: String,
}

impl Line {
    /// Begins a new line with the time.
    fn begin(&mut self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "when a line was written is no affair of the core and its clock"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != now.as_secs() || self.shown.is_empty() {
            self.second = now.as_secs();
            let millis = i64::try_from(self.second * 1000).unwrap_or(i64::MAX);
            self.shown = Timestamp::from_millis(millis).to_string();
            // What follows the seconds is written for each line.
            self.shown.truncate("2026-11-23T12:00:00".len());
        }
        self.text.clear();
        self.text.push_str(&self.shown);
        self.text.push('.');
        self.push_number(now.subsec_micros().into(), 6);
        self.text.push('Z');
    }

    /// Writes a number with at least so many digits.
    fn push_number(&mut self, mut number: u64, least: usize) {
        // As many digits as the largest has.
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while number > 0 || digits.len() - first < least {
            first -= 1;
            digits[first] = b"0123456789"[usize::try_from(number % 10).unwrap_or_default()];
            number /= 10;
        }
        self.text.push_str(str::from_utf8(&digits[first..]).unwrap_or_default());
    }

    /// Begins a field.
    fn name(&mut self, field: &Field) {
        self.text.push(' ');
        if field.name() != MESSAGE {
            self.text.push_str(field.name());
            self.text.push('=');
        }
    }

    /// Writes what shows itself by a formatter. Writing to a string cannot fail; what can't show itself is left out.
    fn push_shown(&mut self, shown: fmt::Arguments<'_>) {
        _ = Escaping(&mut self.text).write_fmt(shown);
    }
}

/// The field that is the message itself.
const MESSAGE: &str = "message";

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
        if field.name() == MESSAGE {
            self.push_shown(format_args!("{value}"));
        } else if plain {
            self.text.push('"');
            self.text.push_str(value);
            self.text.push('"');
        } else {
            // What quotes also escapes.
            _ = write!(self.text, "{value:?}");
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        // What has three decimals, as milliseconds have, needs no search for the shortest text.
        let thousandths = value * 1e3;
        if thousandths.fract() != 0.0 || !(0.0..1e9).contains(&thousandths) {
            return self.push_shown(format_args!("{value:?}"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and in range"
        )]
        let thousandths = thousandths as u64;
        self.push_number(thousandths / 1000, 1);
        self.text.push('.');
        self.push_number(thousandths % 1000, 3);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.push_number(value, 1);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.push_shown(format_args!("{value:?}"));
    }
}

/// Lets no control character through: a terminal would obey it, and a line must stay one.
struct Escaping<'w>(&'w mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.0.push_str(text);
            return Ok(());
        }
        for char in text.chars() {
            if char.is_control() {
                write!(self.0, "{}", char.escape_default())?;
            } else {
                self.0.push(char);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What is logged, without its time.
    fn logged(log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let layer = tracing_subscriber::fmt().event_format(Text).with_writer(kept.clone());
        tracing::subscriber::with_default(layer.with_max_level(Level::TRACE).finish(), log);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        assert_eq!(time.len(), "2026-11-23T12:00:00.123456Z".len(), "{time}");
        Timestamp::parse_from("time", time).unwrap();
        rest.to_owned()
    }

    #[test]
    fn a_line_names_its_level_its_target_and_its_fields() {
        let line = logged(|| {
            tracing::info!(target: "t", method = %"GET", path = "/a\"b", status = 200_u16, ms = 1.5, n = -3, "request");
        });
        assert_eq!(line, " INFO t: request method=GET path=\"/a\\\"b\" status=200 ms=1.500 n=-3\n");
        assert_eq!(logged(|| tracing::error!(target: "t", "x {}", 1)), "ERROR t: x 1\n");
        let odd =
            logged(|| tracing::debug!(target: "t", a = 0.1 + 0.2, b = f64::NAN, c = true, d = ?Some("x")));
        assert_eq!(odd, "DEBUG t: a=0.30000000000000004 b=NaN c=true d=Some(\"x\")\n");
    }

    #[test]
    fn no_control_character_gets_into_the_log() {
        let line = logged(|| tracing::warn!(target: "t", error = %"a\nb\x1b[31m", path = "\x07", "c\rd"));
        assert_eq!(line, " WARN t: c\\rd error=a\\nb\\u{1b}[31m path=\"\\u{7}\"\n");
    }
}
