//! What shells and readers know about `koor`: completions and manual pages.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{exit::Failure, output};

pub(crate) const COMPLETIONS: &str = "\
Examples:
  koor completions bash > ~/.local/share/bash-completion/completions/koor
  koor completions zsh > ~/.zfunc/_koor
  koor completions fish > ~/.config/fish/completions/koor.fish";

pub(crate) const MAN: &str = "\
Examples:
  koor man | man -l -
  koor man state set | man -l -
  koor man > /usr/local/share/man/man1/koor.1";

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell
    shell: Shell,
}

/// About what.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Command to describe [default: koor itself]
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

/// Prints completions of all these commands.
///
/// # Errors
/// When stdout can't be written.
pub(crate) fn completions(which: &Completions, mut all: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(which.shell, &mut all, "koor", &mut script);
    output::print(&script)
}

/// Prints the manual page of one of all these commands.
///
/// # Errors
/// When there is no such command, or stdout can't be written.
pub(crate) fn man(which: &Man, mut all: Command) -> Result<(), Failure> {
    all.build();
    let mut command: &Command = &all;
    for name in &which.path {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::usage(format_args!("there is no command `koor {}`", which.path.join(" ")))
        })?;
    }
    let name = command.get_bin_name().unwrap_or("koor").replace(' ', "-");
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().display_name(name))
        .render(&mut page)
        .map_err(|error| Failure::output(&error))?;
    output::print(&with_sections(&page))
}

/// The page with what follows the options under the names that readers expect: the library calls all of it EXTRA.
fn with_sections(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(page);
    let Some((options, rest)) = text.split_once("\n.SH EXTRA\n") else { return page.to_owned() };
    let is_title = |line: &&str| matches!(*line, "Example:" | "Examples:");
    let notes: Vec<&str> = rest.lines().take_while(|line| !is_title(line)).collect();
    let examples: Vec<&str> = rest.lines().skip(notes.len() + 1).collect();
    let mut page = options.to_owned();
    if notes.iter().any(|line| !line.is_empty()) {
        page.extend(["\n.SH NOTES\n", notes.join("\n").trim_end()]);
    }
    if !examples.is_empty() {
        page.extend(["\n.SH EXAMPLES\n.nf\n", &examples.join("\n"), "\n.fi"]);
    }
    page.push('\n');
    page.into_bytes()
}
