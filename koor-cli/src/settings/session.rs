//! The sessions of clients in the directory of an agent: a file for each in `.koor/sessions/`, beside `settings.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file;

/// The environment variables in which clients give the id of their session to the programs that they start.
const VARIABLES: [&str; 3] = ["KOOR_SESSION", "CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID"];

/// The longest id that is taken.
const LONGEST: usize = 128;

/// The id of a client's session, which can be the name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionId(String);

impl SessionId {
    /// Takes an id of letters, digits, dashes and underscores; clients use no others.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_id = !text.is_empty() && text.len() <= LONGEST && text.chars().all(fits);
        is_id.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of the session, for the agent with these settings.
    pub(crate) fn path(&self, settings: &Path) -> PathBuf {
        directory(settings).join(format!("{}.json", self.0))
    }
}

/// Where the sessions of an agent are.
pub(crate) fn directory(settings: &Path) -> PathBuf {
    settings.with_file_name(".koor").join("sessions")
}

/// The instance that a session works as, where it is not the one of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) instance_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    pub(crate) name: String,
    /// The server that knows it.
    pub(crate) server: String,
}

/// The own identity of the session that the environment names, if it has one.
pub(super) fn own_identity(
    settings: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Identity> {
    let id = VARIABLES.iter().find_map(|name| SessionId::new(&environment(name)?))?;
    let session = file::read_if_there(&id.path(settings)).ok()?;
    serde_json::from_value(session.get("identity")?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn an_id_never_leaves_the_directory_of_sessions() {
        for (text, fits) in [
            ("86710f4b-a423-4041-88d2-1e5f77433ee3", true),
            ("ses_dd56979fafferu1e5cSEzoPLDs", true),
            ("../../settings", false),
            ("a/b", false),
            ("", false),
            ("a.b", false),
        ] {
            assert_eq!(SessionId::new(text).is_some(), fits, "{text}");
        }
        assert!(SessionId::new(&"x".repeat(129)).is_none());
    }

    #[test]
    fn a_session_can_have_an_identity_of_its_own() {
        let base = TempDir::new().unwrap();
        let settings = base.path().join(file::NAME);
        let environment = |name: &str| (name == "CODEX_THREAD_ID").then(|| "s1".to_owned());
        assert_eq!(own_identity(&settings, &environment), None);
        fs::create_dir_all(directory(&settings)).unwrap();
        let path = SessionId::new("s1").unwrap().path(&settings);
        fs::write(&path, r#"{"client": "codex"}"#).unwrap();
        assert_eq!(own_identity(&settings, &environment), None);
        let own = r#"{"identity": {"instance_id": "i", "name": "backend-2", "server": "http://a"}}"#;
        fs::write(&path, own).unwrap();
        let identity = own_identity(&settings, &environment).unwrap();
        assert_eq!((identity.instance_id.as_str(), identity.token), ("i", None));
    }
}
