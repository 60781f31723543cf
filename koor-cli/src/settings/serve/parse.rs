//! Parsers of settings.

use koor_store_sqlite::Durability;
use tracing::level_filters::LevelFilter;
use url::{Host, Url};

use crate::log;

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

pub(super) fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err("write error, warn, info, debug or trace".to_owned()),
    }
}

pub(super) fn format(text: &str) -> Result<log::Format, String> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(log::Format::Text),
        "json" => Ok(log::Format::Json),
        _ => Err("write text or json".to_owned()),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    match text.to_ascii_lowercase().as_str() {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        _ => Err("write full or normal".to_owned()),
    }
}

/// An origin as browsers write it.
pub(super) fn origin(text: &str) -> Result<String, String> {
    const WANTED: &str = "write an origin such as https://example.com";
    let url = Url::parse(text.trim()).map_err(|_| WANTED)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare || !url.username().is_empty() {
        return Err(WANTED.to_owned());
    }
    Ok(url.origin().ascii_serialization())
}

/// A host, with or without a port, as clients write it in `Host`.
pub(super) fn host(text: &str) -> Result<String, String> {
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
