//! Where the server is, and who calls it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use url::Url;

use super::{
    file, locate,
    origin::{Given, Origin},
    session,
    store::Store,
    tokens::{self, Candidates},
};
use crate::{exit::Failure, global::Global};

/// Where a server is that nothing is said about.
pub(crate) const DEFAULT_SERVER: &str = "http://localhost:9800";

/// What every command but `serve` and `init` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// An `http` or `https` URL without a slash at its end; it may have a path.
    pub(crate) server: Given<String>,
    /// The token that was set for this server.
    pub(crate) token: Option<Given<String>>,
    /// The id of the instance that calls.
    pub(crate) instance_id: Option<String>,
    /// The workspace of that instance: a project, or a path that ends in one.
    pub(crate) workspace: Option<String>,
    /// The name under which the agent of this directory registers.
    pub(crate) agent: Option<String>,
    /// What the project's paths have in front of this directory's: where each agent has a directory of its own.
    pub(crate) path_prefix: Option<String>,
    /// Which token is not used, because it was set for another server: a line for people.
    pub(crate) left_out: Option<String>,
    /// The `settings.json` that holds here.
    pub(crate) file: Option<PathBuf>,
}

impl ClientSettings {
    /// Finds out what is meant: a flag counts more than the environment, which counts more than the `settings.json` of
    /// this directory or of the nearest parent that has one. A token is only taken for the server it was set for.
    ///
    /// # Errors
    /// One line that names the first setting that is no good.
    pub(crate) fn resolve(
        global: &Global,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let path = locate::find(environment);
        let file = path.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let layers = Layers { global, environment, file };
        let server = layers.server()?;
        let of_flag = layers.flag("token");
        let of_environment = layers.variable("token");
        let of_file = layers.in_file("token")?;
        let instance_id = layers.in_file("instance_id")?;
        let workspace = layers.in_file("workspace")?;
        let agent = layers.in_file("agent")?;
        let path_prefix = layers.in_file("path_prefix")?;
        let environment_server = layers.variable("server").and_then(|url| server_url(&url).ok());
        let (token, left_out) = tokens::choose(Candidates {
            server: &server,
            environment_server: environment_server.as_deref(),
            file_server: &layers.server_of_file()?,
            flag: of_flag,
            variable: of_environment,
            file: of_file,
            // An agent's directory has the agent's token, or none: never the user's own.
            store: if instance_id.is_some() { None } else { Store::new(environment).token(&server.value)? },
        });
        if let Some(token) = &token {
            check_token(&token.value).map_err(|why| token.origin.invalid("token", why))?;
        }
        let settings =
            Self { server, token, instance_id, workspace, agent, path_prefix, left_out, file: path };
        Ok(settings.in_session(environment))
    }

    /// The same settings as the session of a client that started this command: a second session of an agent has an identity of
    /// its own.
    fn in_session(self, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let own = self.file.as_deref().and_then(|file| session::own_identity(file, environment));
        let Some(own) = own.filter(|own| own.server == self.server.value) else { return self };
        let token = own.token.map(|value| Given { value, origin: Origin::File });
        Self { instance_id: Some(own.instance_id), token: token.or(self.token), ..self }
    }

    /// Settings that name a server and nothing else.
    pub(crate) fn of(server: &str, token: Option<&str>) -> Self {
        let given = |text: &str| Given { value: text.to_owned(), origin: Origin::Flag };
        Self {
            server: given(server),
            token: token.map(given),
            instance_id: None,
            workspace: None,
            agent: None,
            path_prefix: None,
            left_out: None,
            file: None,
        }
    }
}

/// Where the server is, and where that is said, whatever token is set.
///
/// # Errors
/// As [`ClientSettings::resolve`].
pub(crate) fn server_in_effect(
    global: &Global,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Given<String>, Failure> {
    let file = locate::find(environment).as_deref().map(file::read).transpose()?.unwrap_or_default();
    Layers { global, environment, file }.server()
}

struct Layers<'a> {
    global: &'a Global,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
}

impl Layers<'_> {
    /// What is empty is not set.
    fn flag(&self, key: &'static str) -> Option<String> {
        let flag = match key {
            "server" => self.global.server.clone(),
            "token" => self.global.token.clone(),
            // Who an instance is depends on the workspace: there is no flag and no variable for it.
            _ => None,
        };
        flag.filter(|text| !text.is_empty())
    }

    fn variable(&self, key: &'static str) -> Option<String> {
        (self.environment)(&format!("KOOR_{}", key.to_ascii_uppercase())).filter(|text| !text.is_empty())
    }

    fn in_file(&self, key: &'static str) -> Result<Option<String>, Failure> {
        match self.file.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(Origin::File.invalid(key, "it must be a text")),
        }
    }

    /// The server from the highest layer that names one.
    fn server(&self) -> Result<Given<String>, Failure> {
        let (value, origin) = if let Some(url) = self.flag("server") {
            (url, Origin::Flag)
        } else if let Some(url) = self.variable("server") {
            (url, Origin::Environment)
        } else if let Some(url) = self.in_file("server")? {
            (url, Origin::File)
        } else {
            (DEFAULT_SERVER.to_owned(), Origin::Default)
        };
        let value = server_url(&value).map_err(|why| origin.invalid("server", why))?;
        Ok(Given { value, origin })
    }

    /// The server that the file's token was set for.
    fn server_of_file(&self) -> Result<String, Failure> {
        match self.in_file("server")? {
            Some(url) => server_url(&url).map_err(|why| Origin::File.invalid("server", why)),
            None => Ok(DEFAULT_SERVER.to_owned()),
        }
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

/// Changes a settings file, and keeps what else is in it. `None` takes a key out.
///
/// # Errors
/// When it can't be read or written. A file that can't be read is left as it is.
pub(crate) fn save(path: &Path, changes: &[(&str, Option<&str>)]) -> Result<(), Failure> {
    let mut settings = file::read_if_there(path)?;
    for (key, value) in changes {
        match value {
            Some(value) => settings.insert((*key).to_owned(), Value::from(*value)),
            None => settings.remove(*key),
        };
    }
    file::write(path, &settings)
}
