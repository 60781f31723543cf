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

/// Writes an event as `<time> <level> <target>: <message> <name>=<value>…`. Spans are left out: nobody here opens any.
pub(super) struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write_now(&mut out)?;
        let metadata = event.metadata();
        out.write_str(match *metadata.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        })?;
        out.write_str(metadata.target())?;
        out.write_char(':')?;
        let mut fields = Fields { out: &mut out, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        out.write_char('\n')
    }
}

thread_local! {
    /// The second of the last line, and how it is written: under load, thousands of lines share one.
    static SECOND: Cell<(u64, [u8; 19])> = const { Cell::new((u64::MAX, [0; 19])) };
}

fn write_now(out: &mut impl Write) -> fmt::Result {
    #[expect(
        clippy::disallowed_methods,
        reason = "when a line was written is no affair of the core and its clock"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut second, mut text) = SECOND.get();
    if second != now.as_secs() {
        second = now.as_secs();
        let millis = i64::try_from(now.as_secs() * 1000).unwrap_or(i64::MAX);
        let shown = Timestamp::from_millis(millis).to_string();
        text.copy_from_slice(shown.as_bytes().get(..19).ok_or(fmt::Error)?);
        SECOND.set((second, text));
    }
    out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
    let mut fraction = *b".000000Z";
    let mut rest = now.subsec_micros();
    for digit in fraction[1..7].iter_mut().rev() {
        *digit = digit_of(rest % 10);
        rest /= 10;
    }
    out.write_str(std::str::from_utf8(&fraction).map_err(|_| fmt::Error)?)
}

fn digit_of(number: u32) -> u8 {
    b"0123456789"[number as usize % 10]
}

struct Fields<'w, W> {
    out: &'w mut W,
    result: fmt::Result,
}

impl<W: Write> Fields<'_, W> {
    fn add(&mut self, field: &Field, write: impl FnOnce(&mut W) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.start(field).and_then(|()| write(self.out));
        }
    }

    fn start(&mut self, field: &Field) -> fmt::Result {
        self.out.write_char(' ')?;
        if field.name() == "message" {
            return Ok(());
        }
        self.out.write_str(field.name())?;
        self.out.write_char('=')
    }
}

impl<W: Write> Visit for Fields<'_, W> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
        self.add(field, |out| {
            if field.name() == "message" {
                return Escaping(out).write_str(value);
            }
            if !plain {
                return write!(out, "{value:?}");
            }
            out.write_char('"')?;
            out.write_str(value)?;
            out.write_char('"')
        });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // What has three decimals, as milliseconds have, needs no search for the shortest text.
        let thousandths = value * 1e3;
        if thousandths.fract() != 0.0 || !(0.0..1e9).contains(&thousandths) {
            return self.add(field, |out| write!(out, "{value:?}"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and in range"
        )]
        let thousandths = thousandths as u32;
        self.add(field, |out| {
            let decimals = [100, 10, 1].map(|unit| digit_of(thousandths / unit % 10));
            write!(out, "{}.", thousandths / 1000)?;
            out.write_str(std::str::from_utf8(&decimals).map_err(|_| fmt::Error)?)
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, |out| write!(out, "{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, |out| write!(Escaping(out), "{value:?}"));
    }
}

/// Lets no control character through: a terminal would obey it, and a line must stay one.
struct Escaping<'w, W>(&'w mut W);

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.chars().any(char::is_control) {
            return self.0.write_str(text);
        }
        for char in text.chars() {
            if char.is_control() {
                write!(self.0, "{}", char.escape_default())?;
            } else {
                self.0.write_char(char)?;
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
