//! The user's editor.

use std::{env, path::Path};

use tokio::{process::Command, runtime};

use crate::{exit::Failure, signals::Signals};

/// The default editor.
const DEFAULT: &str = "vi";

/// Has a file edited, and waits for it.
///
/// # Errors
/// When the editor can't be started, or does not end well.
pub(super) fn edit(path: &Path) -> Result<(), Failure> {
    let editor = chosen(&|name| env::var(name).ok());
    let cannot =
        |why: &dyn std::fmt::Display| Failure::refused(format!("cannot run the editor {editor:?}: {why}"));
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().map_err(|error| cannot(&error))?;
    runtime.block_on(async {
        // Ctrl-C in an editor is the editor's affair: it must not take the text away from under it.
        let mut signals = Signals::listen()?;
        let mut child = command(&editor, path).spawn().map_err(|error| cannot(&error))?;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_err(|error| cannot(&error))?,
                _ = signals.next() => {}
            }
        };
        if status.success() {
            Ok(())
        } else {
            Err(Failure::refused(format!("the editor {editor:?} ended with {status}")))
        }
    })
}

/// `$VISUAL`, else `$EDITOR`, else [`DEFAULT`]. What is empty is not set.
fn chosen(environment: &dyn Fn(&str) -> Option<String>) -> String {
    ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| environment(name).filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| DEFAULT.to_owned())
}

/// Through the shell: an editor may be given with arguments, and with quotes around its path.
#[cfg(unix)]
fn command(editor: &str, path: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(path);
    command
}

#[cfg(not(unix))]
fn command(editor: &str, path: &Path) -> Command {
    let mut parts = editor.split_whitespace();
    let mut command = Command::new(parts.next().unwrap_or(editor));
    command.args(parts).arg(path);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visual_counts_more_than_editor() {
        let set = |visual: &'static str, editor: &'static str| {
            chosen(&move |name| Some(if name == "VISUAL" { visual } else { editor }.to_owned()))
        };
        assert_eq!(set("code --wait", "nano"), "code --wait");
        assert_eq!(set(" ", "nano"), "nano");
        assert_eq!(set("", ""), "vi");
        assert_eq!(chosen(&|_| None), "vi");
    }
}
