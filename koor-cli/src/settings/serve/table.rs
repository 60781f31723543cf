//! The settings of `serve`: each with its key, default, parser and help, in one table.
//!
//! The flags, their help, `docs/configuration.md` and the reading of variables and files all come from it.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use koor_core::{
    domain::{LeaseTime, prices::PriceTable, webhooks::Secret},
    time_span::TimeSpan,
};
use koor_http::outbound::AllowedTarget;
use koor_store_sqlite::Durability;
use tracing::level_filters::LevelFilter;

use super::{
    layers::Layers,
    parse::{durability, format, host, level, origin, switch},
    setting::{Kind, Setting},
    sources::Sources,
    store::StoreAddress,
};
use crate::{
    exit::Failure,
    listen::Place,
    log, price_file,
    values::{count, size},
};

/// Declares the settings: a table of all, and a struct with the values of those that have a parser.
macro_rules! settings {
    (
        one { $($one:ident: $one_type:ty, $kind:ident $value:literal = $default:literal, $parse:expr, $help:literal;)* }
        token { $($token:ident, $token_kind:ident $token_value:literal, $token_help:literal;)* }
        many { $($many:ident: $many_type:ty, $many_value:literal, $many_parse:expr, $many_help:literal;)* }
    ) => {
        /// Everything that can be set.
        pub(crate) const SETTINGS: &[Setting] = &[
            $(Setting {
                key: stringify!($one), kind: Kind::$kind, value: $value, default: Some($default), help: $help,
            },)*
            $(Setting {
                key: stringify!($token), kind: Kind::$token_kind, value: $token_value, default: None, help: $token_help,
            },)*
            $(Setting {
                key: stringify!($many), kind: Kind::Many, value: $many_value, default: None, help: $many_help,
            },)*
        ];

        /// The resolved settings of `serve`.
        #[derive(Debug)]
        pub(crate) struct ServeSettings {
            $(#[doc = $help] pub(crate) $one: $one_type,)*
            $(#[doc = $many_help] pub(crate) $many: Vec<$many_type>,)*
            /// The token that callers must show; `None` in local mode.
            pub(crate) auth_token: Option<Secret>,
            /// Where these settings were read from, for the start line.
            pub(crate) sources: Sources,
        }

        impl ServeSettings {
            /// Reads each setting from the highest layer that has it.
            pub(super) fn read(layers: &Layers<'_>) -> Result<Self, Failure> {
                Ok(Self {
                    $($one: layers.one(stringify!($one), $default, $parse)?,)*
                    $($many: layers.all(stringify!($many), $many_parse)?,)*
                    auth_token: layers.token()?,
                    sources: layers.sources()?,
                })
            }
        }
    };
}

settings! {
    one {
        bind: Place, One "HOST:PORT" = "localhost:9800", place,
            "Address of the API and MCP; port 0 picks a free port";
        dashboard_bind: Option<Place>, MayBeEmpty "HOST:PORT" = "localhost:9847", dashboard,
            "Address of the dashboard; empty: no dashboard";
        data_dir: PathBuf, One "PATH" = ".", path,
            "Directory of the database, `data.db`";
        store: StoreAddress, One "ADDRESS" = "sqlite", store,
            "Where data is kept: `sqlite` in the data directory, `sqlite:DIR`, or `postgres://user@host1,host2/database`";
        log_level: LevelFilter, One "LEVEL" = "info", level,
            "Log level: error, warn, info, debug or trace";
        log_format: log::Format, One "FORMAT" = "text", format,
            "Log format: text or json";
        event_retention: u64, One "N" = "1000", at_least_one,
            "Number of clients' events to keep";
        change_retention: u64, One "N" = "10000", at_least_one,
            "Number of the server's own events to keep";
        history_limit: Option<u64>, One "N" = "0", history,
            "Number of versions to keep before the current one; 0: all";
        stale_after: Duration, One "TIME" = "5m", period,
            "Silence after which an instance is stale";
        compliance_every: Duration, One "TIME" = "5m", period,
            "Interval of compliance checks";
        task_lease: LeaseTime, One "TIME" = "15m", lease,
            "Lease of a task whose claim names none, from 10s to 24h";
        path_lease: LeaseTime, One "TIME" = "30m", lease,
            "Lease of paths whose request names none, from 10s to 24h";
        message_retention: Duration, One "TIME" = "30d", period,
            "Time to keep messages after they were read, up to 365d";
        prices: PriceTable, One "FILE" = "built-in", prices,
            "JSON file with prices of models in place of the built-in ones (`koor llm prices`)";
        max_body: u64, One "SIZE" = "10MiB", body,
            "Maximum size of a request body, up to 512MiB";
        durability: Durability, One "HOW" = "full", durability,
            "full: fsync before each answer; normal: faster, but a power cut may lose the last writes";
        insecure: bool, Switch "" = "false", switch,
            "Listen beyond this machine without a token: anyone who reaches the server may do everything";
    }
    token {
        auth_token, MayBeEmpty "TOKEN", "Token that callers must send; without one, every caller may do everything";
        auth_token_file, One "PATH", "File of the token, hidden from `ps`";
    }
    many {
        allow_origin: String, "ORIGIN", origin,
            "Web origin whose pages may call the server, beside its own";
        allow_host: String, "HOST", host,
            "Host name under which a server on loopback may be called, beside localhost";
        allow_outbound: AllowedTarget, "TARGET", target,
            "Private host, address or range that webhooks may call although there is a token";
    }
}

/// The largest body that can be allowed: values are held in memory, and the database takes none over 1 GB.
const LARGEST_BODY: u64 = 512 << 20;

/// The longest span that can be set: a year, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_hours(365 * 24);

fn prices(text: &str) -> Result<PriceTable, String> {
    if text == "built-in" { Ok(PriceTable::default()) } else { price_file::read(Path::new(text)) }
}

fn place(text: &str) -> Result<Place, String> {
    Place::from_str(text)
}

fn dashboard(text: &str) -> Result<Option<Place>, String> {
    if text.is_empty() { Ok(None) } else { place(text).map(Some) }
}

#[expect(clippy::unnecessary_wraps, reason = "every parser may fail")]
fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

fn store(text: &str) -> Result<StoreAddress, String> {
    text.parse()
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("at least 1 is kept".to_owned()),
        n => Ok(n),
    }
}

fn history(text: &str) -> Result<Option<u64>, String> {
    Ok(Some(count(text)?).filter(|n| *n > 0))
}

fn period(text: &str) -> Result<Duration, String> {
    match text.parse::<TimeSpan>().map_err(|error| error.to_string())?.get() {
        short if short < Duration::from_secs(1) => Err("at least 1s is needed".to_owned()),
        long if long > LONGEST => Err("at most 365d is possible".to_owned()),
        fine => Ok(fine),
    }
}

fn lease(text: &str) -> Result<LeaseTime, String> {
    let span = text.parse::<TimeSpan>().map_err(|error| error.to_string())?;
    LeaseTime::new(span.get()).map_err(|error| error.to_string())
}

fn body(text: &str) -> Result<u64, String> {
    match size(text)? {
        n @ 1..=LARGEST_BODY => Ok(n),
        _ => Err("from 1B to 512MiB is possible".to_owned()),
    }
}

fn target(text: &str) -> Result<AllowedTarget, String> {
    text.parse().map_err(|error| format!("{error}"))
}
