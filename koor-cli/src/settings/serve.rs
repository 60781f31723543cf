//! What was typed, set in the environment and written in the config file, resolved into what is meant.

mod sources;

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use koor_core::{
    domain::{LeaseTime, webhooks::Secret},
    time_span::TimeSpan,
};
use koor_http::outbound::AllowedTarget;
use koor_store_sqlite::Durability;
use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use url::{Host, Url};

pub(crate) use self::sources::Sources;
use crate::{
    args::serve::ServeArgs,
    exit::Failure,
    listen::Place,
    log,
    settings::file,
    values::{count, size},
};

/// The largest body that can be allowed: values are held in memory, and the database takes none over 1 GB.
const LARGEST_BODY: u64 = 512 << 20;

/// The longest span that can be set: a year, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The keys that a file may have for others: the same file serves `koor`'s other commands.
const KEYS_OF_OTHERS: [&str; 4] = ["server", "token", "instance_id", "workspace"];

/// Everything that can be set, by its key in the file. The flag and the variable are named after it.
const KEYS: [&str; 21] = [
    "bind",
    "dashboard_bind",
    "data_dir",
    "auth_token",
    "auth_token_file",
    "log_level",
    "log_format",
    "event_retention",
    "change_retention",
    "history_limit",
    "stale_after",
    "compliance_every",
    "task_lease",
    "path_lease",
    "message_retention",
    "max_body",
    "durability",
    "allow_origin",
    "allow_host",
    "allow_outbound",
    "insecure",
];

/// Those that can be given more than once.
const LISTS: [&str; 3] = ["allow_origin", "allow_host", "allow_outbound"];

/// Those for which empty means something: off, or none. For all others an empty variable is as good as none.
const EMPTY_MEANS: [&str; 2] = ["dashboard_bind", "auth_token"];

/// What `serve` is meant to do.
#[derive(Debug)]
pub(crate) struct ServeSettings {
    pub(crate) bind: Place,
    /// `None`: no dashboard.
    pub(crate) dashboard_bind: Option<Place>,
    pub(crate) data_dir: PathBuf,
    /// `None`: local mode.
    pub(crate) auth_token: Option<Secret>,
    pub(crate) log_level: LevelFilter,
    pub(crate) log_format: log::Format,
    pub(crate) event_retention: u64,
    pub(crate) change_retention: u64,
    /// `None`: every version is kept.
    pub(crate) history_limit: Option<u64>,
    pub(crate) stale_after: Duration,
    pub(crate) compliance_every: Duration,
    pub(crate) task_lease: LeaseTime,
    pub(crate) path_lease: LeaseTime,
    pub(crate) message_retention: Duration,
    pub(crate) max_body: u64,
    pub(crate) durability: Durability,
    pub(crate) allow_origins: Vec<String>,
    pub(crate) allow_hosts: Vec<String>,
    pub(crate) allow_outbound: Vec<AllowedTarget>,
    /// Whether other machines may reach a server without a token.
    pub(crate) insecure: bool,
    /// Where these settings were read from, for the start line.
    pub(crate) sources: Sources,
}

/// A setting as it was given, and where.
struct Given {
    from: String,
    values: Vec<String>,
}

/// The layers in which a setting is looked for, highest first.
struct Layers<'a> {
    flags: Vec<(&'static str, Vec<String>)>,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
    file_name: String,
    /// The config file, if one was read.
    file_path: Option<PathBuf>,
}

impl ServeSettings {
    /// Finds out what is meant.
    ///
    /// # Errors
    /// One line that names the first setting that is no good.
    pub(crate) fn resolve(
        args: ServeArgs,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let layers = Layers::new(args, environment)?;
        let at_least_one = |text: &str| match count(text)? {
            0 => Err("at least 1 is kept".to_owned()),
            n => Ok(n),
        };
        let period = |text: &str| match text.parse::<TimeSpan>().map_err(|error| error.to_string())?.get() {
            short if short < Duration::from_secs(1) => Err("at least 1s is needed".to_owned()),
            long if long > LONGEST => Err("at most 365d is possible".to_owned()),
            fine => Ok(fine),
        };
        let lease = |text: &str| {
            let span = text.parse::<TimeSpan>().map_err(|error| error.to_string())?;
            LeaseTime::new(span.get()).map_err(|error| error.to_string())
        };
        let body = |text: &str| match size(text)? {
            n @ 1..=LARGEST_BODY => Ok(n),
            _ => Err("from 1B to 512MiB is possible".to_owned()),
        };
        let place = |text: &str| Place::from_str(text);
        let dashboard = |text: &str| if text.is_empty() { Ok(None) } else { place(text).map(Some) };
        Ok(Self {
            bind: layers.one("bind", "localhost:9800", place)?,
            dashboard_bind: layers.one("dashboard_bind", "localhost:9847", dashboard)?,
            data_dir: layers.one("data_dir", ".", |path| Ok(PathBuf::from(path)))?,
            auth_token: layers.token()?,
            log_level: layers.one("log_level", "info", level)?,
            log_format: layers.one("log_format", "text", format)?,
            event_retention: layers.one("event_retention", "1000", at_least_one)?,
            change_retention: layers.one("change_retention", "10000", at_least_one)?,
            history_limit: layers.one("history_limit", "0", count).map(|n| (n > 0).then_some(n))?,
            stale_after: layers.one("stale_after", "5m", period)?,
            compliance_every: layers.one("compliance_every", "5m", period)?,
            task_lease: layers.one("task_lease", "15m", lease)?,
            path_lease: layers.one("path_lease", "30m", lease)?,
            message_retention: layers.one("message_retention", "30d", period)?,
            max_body: layers.one("max_body", "10MiB", body)?,
            durability: layers.one("durability", "full", durability)?,
            allow_origins: layers.all("allow_origin", origin)?,
            allow_hosts: layers.all("allow_host", host)?,
            allow_outbound: layers.all("allow_outbound", |text| text.parse().map_err(|e| format!("{e}")))?,
            insecure: layers.one("insecure", "false", switch)?,
            sources: layers.sources()?,
        })
    }
}

impl<'a> Layers<'a> {
    fn new(args: ServeArgs, environment: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let file_path = match &args.config {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from(file::NAME)).filter(|path| path.exists()),
        };
        let file = file_path.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let file_name = file_path.as_deref().map_or(file::NAME.to_owned(), |path| path.display().to_string());
        let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let flags = vec![
            ("bind", one(args.bind)),
            ("dashboard_bind", one(args.dashboard_bind)),
            ("data_dir", one(args.data_dir)),
            ("auth_token", one(args.auth_token)),
            ("auth_token_file", one(args.auth_token_file)),
            ("log_level", one(args.log_level)),
            ("log_format", one(args.log_format)),
            ("event_retention", one(args.event_retention)),
            ("change_retention", one(args.change_retention)),
            ("history_limit", one(args.history_limit)),
            ("stale_after", one(args.stale_after)),
            ("compliance_every", one(args.compliance_every)),
            ("task_lease", one(args.task_lease)),
            ("path_lease", one(args.path_lease)),
            ("message_retention", one(args.message_retention)),
            ("max_body", one(args.max_body)),
            ("durability", one(args.durability)),
            ("allow_origin", args.allow_origin),
            ("allow_host", args.allow_host),
            ("allow_outbound", args.allow_outbound),
            ("insecure", args.insecure.then(|| "true".to_owned()).into_iter().collect()),
        ];
        Ok(Self { flags, environment, file, file_name, file_path })
    }

    fn in_flags(&self, key: &str) -> Option<Given> {
        let (_, values) = self.flags.iter().find(|(name, values)| *name == key && !values.is_empty())?;
        Some(Given { from: format!("--{}", key.replace('_', "-")), values: values.clone() })
    }

    fn in_environment(&self, key: &str) -> Option<Given> {
        let name = format!("KOOR_{}", key.to_ascii_uppercase());
        let text = (self.environment)(&name)?;
        if text.is_empty() && !EMPTY_MEANS.contains(&key) {
            return None;
        }
        let values = if LISTS.contains(&key) {
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        } else {
            vec![text]
        };
        Some(Given { from: name, values })
    }

    fn in_file(&self, key: &str) -> Result<Option<Given>, Failure> {
        let Some(value) = self.file.get(key) else { return Ok(None) };
        let from = format!("{key} in {}", self.file_name);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(on) if key == "insecure" => Some(on.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let values = match value {
            Value::Array(items) if LISTS.contains(&key) => items.iter().map(text).collect(),
            one => text(one).map(|one| vec![one]),
        };
        let values =
            values.ok_or_else(|| Failure::usage(format!("invalid {from}: it must be a text or a number")))?;
        Ok(Some(Given { from, values }))
    }

    /// The setting from the highest layer that has it.
    fn find(&self, key: &str) -> Result<Option<Given>, Failure> {
        match self.in_flags(key).or_else(|| self.in_environment(key)) {
            Some(given) => Ok(Some(given)),
            None => self.in_file(key),
        }
    }

    fn one<T>(
        &self,
        key: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let given = self.find(key)?;
        let (from, value) = match &given {
            Some(Given { from, values }) => (from.as_str(), values.first().map_or("", String::as_str)),
            None => (key, default),
        };
        read(value).map_err(|why| invalid(from, value, why))
    }

    fn all<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Failure> {
        let Some(Given { from, values }) = self.find(key)? else { return Ok(Vec::new()) };
        values.iter().map(|value| read(value).map_err(|why| invalid(&from, value, why))).collect()
    }

    /// The token itself or the file that holds it, whichever the highest layer has that has either.
    fn token(&self) -> Result<Option<Secret>, Failure> {
        let flags = (self.in_flags("auth_token"), self.in_flags("auth_token_file"));
        let environment = (self.in_environment("auth_token"), self.in_environment("auth_token_file"));
        let file = (self.in_file("auth_token")?, self.in_file("auth_token_file")?);
        for (token, path) in [flags, environment, file] {
            match (token, path) {
                (None, None) => {}
                (Some(token), Some(path)) => {
                    return Err(Failure::usage(format!(
                        "{} and {} are both set: give one of them",
                        token.from, path.from
                    )));
                }
                (Some(Given { from, values }), None) => {
                    let token = values.first().map_or("", String::as_str);
                    return if token.is_empty() { Ok(None) } else { secret(token, &from).map(Some) };
                }
                (None, Some(Given { from, values })) => {
                    let path = values.first().map_or("", String::as_str);
                    let text = fs::read_to_string(path)
                        .map_err(|error| Failure::usage(format!("cannot read {from} {path}: {error}")))?;
                    let token = text.trim();
                    if token.is_empty() {
                        // A server that is open because a file came out empty is not what anybody meant.
                        return Err(Failure::usage(format!("{from} {path} is empty")));
                    }
                    return secret(token, &format!("{from} {path}")).map(Some);
                }
            }
        }
        Ok(None)
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

fn invalid(from: &str, value: &str, why: impl Display) -> Failure {
    Failure::usage(format!("invalid {from} {value:?}: {why}"))
}

fn read_file(path: &Path) -> Result<Map<String, Value>, Failure> {
    let shown = path.display();
    let mut file = file::read(path)?;
    // As the documentation of what they allow speaks of them.
    for (plural, key) in [("allow_origins", "allow_origin"), ("allow_hosts", "allow_host")] {
        if let Some(value) = file.remove(plural)
            && file.insert(key.to_owned(), value).is_some()
        {
            return Err(Failure::usage(format!(
                "cannot read config file {shown}: {key} and {plural} are the same setting: give one of them"
            )));
        }
    }
    let unknown =
        file.keys().find(|key| !KEYS.contains(&key.as_str()) && !KEYS_OF_OTHERS.contains(&key.as_str()));
    match unknown {
        Some(key) => Err(Failure::usage(format!("unknown key {key:?} in config file {shown}"))),
        None => Ok(file),
    }
}

/// Takes a token that a client can send in a header. It is never part of a message.
fn secret(token: &str, from: &str) -> Result<Secret, Failure> {
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(format!(
            "invalid {from}: a token is made of ASCII letters, digits and signs, without spaces"
        )));
    }
    Secret::new(token).map_err(|error| Failure::usage(format!("invalid {from}: {error}")))
}

fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err("write error, warn, info, debug or trace".to_owned()),
    }
}

fn format(text: &str) -> Result<log::Format, String> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(log::Format::Text),
        "json" => Ok(log::Format::Json),
        _ => Err("write text or json".to_owned()),
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text.to_ascii_lowercase().as_str() {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        _ => Err("write full or normal".to_owned()),
    }
}

/// An origin as browsers write it.
fn origin(text: &str) -> Result<String, String> {
    const WANTED: &str = "write an origin such as https://example.com";
    let url = Url::parse(text.trim()).map_err(|_| WANTED)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare || !url.username().is_empty() {
        return Err(WANTED.to_owned());
    }
    Ok(url.origin().ascii_serialization())
}

/// A host, with or without a port, as clients write it in `Host`.
fn host(text: &str) -> Result<String, String> {
    const WANTED: &str = "write a host such as koor.internal or koor.internal:9800";
    let text = text.trim();
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() && !text.ends_with(']') => {
            (name, Some(port))
        }
        Some(_) | None => (text, None),
    };
    let name = Host::parse(name).map_err(|_| WANTED)?.to_string();
    Ok(port.map_or_else(|| name.clone(), |port| format!("{name}:{port}")))
}

#[cfg(test)]
mod tests;
