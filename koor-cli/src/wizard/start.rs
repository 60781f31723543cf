//! What can start a server on this machine.

use std::path::Path;

use clap::ValueEnum;
use minijinja::{Error, context};

use super::{
    plan::{Content, Planned},
    project::Project,
    templates::fill,
};

/// Where a server that was started so keeps its data.
pub(crate) const DATA: &str = "koor-data";

/// What starts a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Starter {
    /// koor.service, a unit for `systemctl --user`
    Systemd,
    /// start-koor.sh
    Script,
}

impl Starter {
    /// What one types to start it, in the directory where the project is.
    pub(crate) fn command(self, base: &Path) -> String {
        match self {
            Self::Systemd => {
                format!("systemctl --user enable --now {}", for_shell(&base.join("koor.service")))
            }
            Self::Script => for_shell(&base.join("start-koor.sh")),
        }
    }

    /// The file that starts the server. It stands beside the workspaces.
    ///
    /// # Errors
    /// When the template is broken.
    pub(crate) fn file(
        self,
        project: &Project,
        base: &Path,
        program: &Path,
        token_file: Option<&Path>,
    ) -> Result<Planned, Error> {
        let quote = match self {
            Self::Systemd => for_systemd,
            Self::Script => for_shell,
        };
        let values = context! {
            program => quote(program),
            data_dir => quote(&base.join(DATA)),
            bind => quote(Path::new(&project.on_loopback().unwrap_or_default())),
            token_file => token_file.map(quote).unwrap_or_default(),
        };
        let (path, content) = match self {
            Self::Systemd => ("koor.service", Content::Text(fill("server/koor.service", &values)?)),
            Self::Script => ("start-koor.sh", Content::Script(fill("server/start-koor.sh", &values)?)),
        };
        Ok(Planned { path: path.to_owned(), content })
    }
}

/// The path as one word of a shell.
pub(crate) fn for_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-:[]".contains(c) && c != '[' && c != ']';
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The path as one word of a unit's command.
fn for_systemd(path: &Path) -> String {
    let text = path.display().to_string();
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if escaped.contains(char::is_whitespace) || escaped != text { format!("\"{escaped}\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word_whatever_is_in_it() {
        for (path, shell, systemd) in [
            ("/a/b-c_1.x", "/a/b-c_1.x", "/a/b-c_1.x"),
            ("localhost:9800", "localhost:9800", "localhost:9800"),
            ("[::1]:9800", "'[::1]:9800'", "[::1]:9800"),
            ("/a b", "'/a b'", "\"/a b\""),
            ("/it's", r"'/it'\''s'", "/it's"),
            ("/100%$x", "'/100%$x'", "\"/100%%$$x\""),
            (r#"/a"b\c"#, r#"'/a"b\c'"#, r#""/a\"b\\c""#),
        ] {
            assert_eq!(for_shell(Path::new(path)), shell);
            assert_eq!(for_systemd(Path::new(path)), systemd);
        }
    }
}
