//! The server's log: to stderr, as text for people or as JSON for machines.

mod stderr;
mod text;

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use self::{stderr::STDERR, text::Text};
use crate::exit::Failure;

/// What the line that says where the server listens is logged under: shown at every level, because a program that asked for
/// port 0 must find out.
pub(crate) const START: &str = "koor::start";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Keeps the log's lines: dropping it writes those that wait.
#[must_use]
pub(crate) struct Log(());

impl Drop for Log {
    fn drop(&mut self) {
        flush();
    }
}

/// Writes the waiting lines, before the process exits.
pub(crate) fn flush() {
    STDERR.flush();
}

/// Begins to log, for the whole process.
///
/// # Errors
/// When something logs already.
pub(crate) fn start(level: LevelFilter, format: Format) -> Result<Log, Failure> {
    STDERR.start().map_err(|error| Failure::refused(format!("cannot start the log: {error}")))?;
    let log = tracing_subscriber::registry().with(targets(level));
    let begun = match format {
        Format::Text => {
            let colours =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            let text = tracing_subscriber::fmt::layer().with_writer(&STDERR).with_ansi(colours);
            if colours { log.with(text).try_init() } else { log.with(text.event_format(Text)).try_init() }
        }
        Format::Json => {
            let json = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(&STDERR);
            log.with(json).try_init()
        }
    };
    begun.map_err(|error| Failure::refused(format!("cannot start the log: {error}")))?;
    Ok(Log(()))
}

/// Our own crates speak at the level asked for; what others say at length is for their authors, unless all is wanted and
/// it holds no secret.
fn targets(level: LevelFilter) -> Targets {
    let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    Targets::new()
        .with_default(others)
        // It warns of every request that it refuses, with what the client sent, and below that writes whole messages:
        // among them the token that an instance is given.
        .with_target("rmcp", level.min(LevelFilter::ERROR))
        .with_target("koor", level)
        .with_target(START, LevelFilter::INFO.max(level))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_start_is_logged_at_every_level() {
        for level in [LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG] {
            assert!(targets(level).would_enable(START, &Level::INFO), "{level}");
        }
    }

    #[test]
    fn others_are_quieter_than_we_are() {
        let debug = targets(LevelFilter::DEBUG);
        assert!(debug.would_enable("koor_core::jobs", &Level::DEBUG));
        assert!(debug.would_enable("koor_http", &Level::DEBUG));
        assert!(!debug.would_enable("hyper", &Level::INFO));
        assert!(debug.would_enable("rustls", &Level::WARN));
        assert!(!debug.would_enable("rmcp::service", &Level::WARN));
        assert!(debug.would_enable("rmcp::service", &Level::ERROR));
        assert!(!targets(LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
        assert!(targets(LevelFilter::TRACE).would_enable("hyper", &Level::TRACE));
        assert!(!targets(LevelFilter::TRACE).would_enable("rmcp::service", &Level::WARN));
    }
}
