//! The layers in which settings are given: flags, variables, the config file.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use koor_core::domain::webhooks::Secret;
use serde_json::{Map, Value};

use super::{
    flags::ServeFlags,
    setting::{Kind, Setting},
    store::redacted,
};
use crate::{exit::Failure, settings::file};

/// The keys that a file may have for others: the same file serves `koor`'s other commands.
const KEYS_OF_OTHERS: [&str; 6] = ["server", "token", "instance_id", "workspace", "agent", "path_prefix"];

/// A setting as it was given, and where.
pub(super) struct Given {
    pub(super) from: String,
    pub(super) values: Vec<String>,
}

/// The layers in which a setting is looked for, highest first.
pub(super) struct Layers<'a> {
    settings: &'static [Setting],
    flags: Vec<(&'static str, Vec<String>)>,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
    pub(super) file_name: String,
    /// The config file, if one was read.
    pub(super) file_path: Option<PathBuf>,
}

impl<'a> Layers<'a> {
    /// Reads the config file, in which there may be keys of these settings alone.
    pub(super) fn new(
        flags: ServeFlags,
        environment: &'a dyn Fn(&str) -> Option<String>,
        settings: &'static [Setting],
    ) -> Result<Self, Failure> {
        let ServeFlags { config, flags } = flags;
        let file_path = config.or_else(|| Some(PathBuf::from(file::NAME)).filter(|path| path.exists()));
        let known = |key: &str| settings.iter().any(|setting| setting.key == key);
        let file = file_path.as_deref().map(|path| read_file(path, &known)).transpose()?.unwrap_or_default();
        let file_name = file_path.as_deref().map_or(file::NAME.to_owned(), |path| path.display().to_string());
        Ok(Self { settings, flags, environment, file, file_name, file_path })
    }

    fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    pub(super) fn in_flags(&self, key: &str) -> Option<Given> {
        let (_, values) = self.flags.iter().find(|(name, values)| *name == key && !values.is_empty())?;
        Some(Given { from: format!("--{}", key.replace('_', "-")), values: values.clone() })
    }

    pub(super) fn in_environment(&self, key: &str) -> Option<Given> {
        let setting = self.setting(key)?;
        let name = setting.variable();
        let text = (self.environment)(&name)?;
        if text.is_empty() && setting.kind != Kind::MayBeEmpty {
            return None;
        }
        let values = if setting.kind == Kind::Many {
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        } else {
            vec![text]
        };
        Some(Given { from: name, values })
    }

    pub(super) fn in_file(&self, key: &str) -> Result<Option<Given>, Failure> {
        let Some(value) = self.file.get(key) else { return Ok(None) };
        let from = format!("{key} in {}", self.file_name);
        let kind = self.setting(key).map(|setting| setting.kind);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(on) if kind == Some(Kind::Switch) => Some(on.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let values = match value {
            Value::Array(items) if kind == Some(Kind::Many) => items.iter().map(text).collect(),
            one => text(one).map(|one| vec![one]),
        };
        let values =
            values.ok_or_else(|| Failure::usage(format!("invalid {from}: it must be a text or a number")))?;
        Ok(Some(Given { from, values }))
    }

    /// The setting from the highest layer that has it.
    pub(super) fn find(&self, key: &str) -> Result<Option<Given>, Failure> {
        match self.in_flags(key).or_else(|| self.in_environment(key)) {
            Some(given) => Ok(Some(given)),
            None => self.in_file(key),
        }
    }

    pub(super) fn one<T>(
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

    pub(super) fn all<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Failure> {
        let Some(Given { from, values }) = self.find(key)? else { return Ok(Vec::new()) };
        values.iter().map(|value| read(value).map_err(|why| invalid(&from, value, why))).collect()
    }

    /// The token itself or the file that holds it, whichever the highest layer has that has either.
    pub(super) fn token(&self) -> Result<Option<Secret>, Failure> {
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

fn invalid(from: &str, value: &str, why: impl Display) -> Failure {
    Failure::usage(format!("invalid {from} {:?}: {why}", redacted(value)))
}

fn read_file(path: &Path, known: &dyn Fn(&str) -> bool) -> Result<Map<String, Value>, Failure> {
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
    let unknown = file.keys().find(|key| !known(key) && !KEYS_OF_OTHERS.contains(&key.as_str()));
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
