//! Where the server is, and who calls it.

use std::{fmt, path::Path};

use serde_json::{Map, Value};
use url::Url;

use crate::{args::Global, exit::Failure, settings::file};

/// Where a server is that nobody says anything about.
const DEFAULT_SERVER: &str = "http://localhost:9800";

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "settings.json",
            Self::Default => "default",
        })
    }
}

/// A setting, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// What every command but `serve` and `init` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// An `http` or `https` URL without a slash at its end; it may have a path.
    pub(crate) server: Given<String>,
    pub(crate) token: Option<Given<String>>,
    /// The id of the instance that calls.
    pub(crate) instance_id: Option<String>,
}

impl ClientSettings {
    /// Finds out what is meant: a flag counts more than the environment, which counts more than `./settings.json`.
    ///
    /// # Errors
    /// One line that names the first setting that is no good.
    pub(crate) fn resolve(
        global: &Global,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let layers = Layers { global, environment, file: file::read_if_there(Path::new(file::NAME))? };
        let server = layers.find("server")?;
        let server =
            server.unwrap_or_else(|| Given { value: DEFAULT_SERVER.to_owned(), origin: Origin::Default });
        let token = layers.find("token")?;
        if let Some(token) = &token {
            check_token(&token.value).map_err(|why| token.origin.invalid("token", why))?;
        }
        Ok(Self {
            server: Given {
                value: server_url(&server.value).map_err(|why| server.origin.invalid("server", why))?,
                origin: server.origin,
            },
            token,
            instance_id: layers.find("instance_id")?.map(|given| given.value),
        })
    }
}

impl Origin {
    fn invalid(self, key: &str, why: impl fmt::Display) -> Failure {
        let name = match self {
            Self::Flag => format!("--{key}"),
            Self::Environment => format!("KOOR_{}", key.to_ascii_uppercase()),
            Self::File | Self::Default => format!("{key} in {}", file::NAME),
        };
        Failure::usage(format!("invalid {name}: {why}"))
    }
}

struct Layers<'a> {
    global: &'a Global,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
}

impl Layers<'_> {
    /// The setting from the highest layer that has it. What is empty is not set.
    fn find(&self, key: &'static str) -> Result<Option<Given<String>>, Failure> {
        let flag = match key {
            "server" => self.global.server.clone(),
            "token" => self.global.token.clone(),
            _ => None,
        };
        // Who an instance is depends on the workspace: there is no flag and no variable for it.
        let variable = if key == "instance_id" {
            None
        } else {
            (self.environment)(&format!("KOOR_{}", key.to_ascii_uppercase()))
        };
        let file = match self.file.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(Origin::File.invalid(key, "it must be a text")),
        };
        let layers = [(flag, Origin::Flag), (variable, Origin::Environment), (file, Origin::File)];
        Ok(layers.into_iter().find_map(|(value, origin)| {
            value.filter(|text| !text.is_empty()).map(|value| Given { value, origin })
        }))
    }
}

/// The URL of a server, as it is written in full.
///
/// # Errors
/// Says what would be right.
pub(crate) fn server_url(text: &str) -> Result<String, String> {
    let wanted = || format!("{text:?} is no URL of a server such as {DEFAULT_SERVER}");
    let text = text.trim();
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).map_err(|_| wanted())?;
    let bare = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare {
        return Err(wanted());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a password in it is not taken: Koor asks for a token".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a token can be sent in a header.
///
/// # Errors
/// Says what would be right. The token is never part of it.
pub(crate) fn check_token(token: &str) -> Result<(), &'static str> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("a token is made of ASCII letters, digits and signs, without spaces")
    }
}

/// Changes `./settings.json`, and keeps what else is in it. `None` takes a key out.
///
/// # Errors
/// When it can't be read or written. A file that can't be read is left as it is.
pub(crate) fn save(changes: &[(&str, Option<&str>)]) -> Result<(), Failure> {
    let path = Path::new(file::NAME);
    let mut settings = file::read_if_there(path)?;
    for (key, value) in changes {
        match value {
            Some(value) => settings.insert((*key).to_owned(), Value::from(*value)),
            None => settings.remove(*key),
        };
    }
    file::write(path, &settings)
}
