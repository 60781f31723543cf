//! What comes of a command: exact JSON for programs, tables for people.

mod indent;
mod table;

use std::{
    io::{self, IsTerminal as _, Read, Write},
    process::{Command, Stdio},
};

use chrono::Local;
use terminal_size::{Height, Width, terminal_size};

use crate::{exit::Failure, global::Global};

pub(crate) use indent::indented;
pub(crate) use table::{Column, Kind, Rows, Table};

/// How much of a value is held in memory while it passes by.
const PIECE: usize = 64 << 10;

/// How results look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// JSON exactly as the server sent it.
    Exact,
    /// The same JSON, indented.
    Pretty,
    /// Tables where there are some, else JSON.
    Table,
}

/// Where results go: stdout.
#[derive(Debug)]
pub(crate) struct Output {
    form: Form,
    json_wanted: bool,
    terminal: bool,
    colours: bool,
}

impl Output {
    /// The form that was asked for, or the default for a terminal or a pipe.
    ///
    /// # Errors
    /// When two things at once were asked for.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        if global.table && (global.json || global.pretty) {
            return Err(Failure::usage("--table and JSON exclude each other: give one of them"));
        }
        let terminal = io::stdout().is_terminal();
        let form = if global.pretty {
            Form::Pretty
        } else if global.table || (terminal && !global.json) {
            Form::Table
        } else {
            Form::Exact
        };
        Ok(Self {
            form,
            json_wanted: global.json || global.pretty,
            terminal,
            colours: terminal && colours_wanted(),
        })
    }

    /// Whether a person reads the results, as far as one can know.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether results are shown as tables.
    pub(crate) fn is_for_people(&self) -> bool {
        self.form == Form::Table
    }

    /// Whether JSON was asked for in words.
    pub(crate) fn is_json_wanted(&self) -> bool {
        self.json_wanted
    }

    /// Prints a line of text, whatever form was asked for.
    ///
    /// # Errors
    /// When stdout can't be written.
    #[expect(clippy::unused_self, reason = "callers need not know what it takes to print")]
    pub(crate) fn line(&self, line: impl std::fmt::Display) -> Result<(), Failure> {
        print(format!("{line}\n").as_bytes())
    }

    /// Prints JSON.
    ///
    /// # Errors
    /// When stdout can't be written.
    pub(crate) fn json(&self, body: &[u8]) -> Result<(), Failure> {
        let mut text = match self.form {
            Form::Pretty => indent::indented(body).unwrap_or_else(|| body.to_owned()),
            Form::Exact | Form::Table => body.to_owned(),
        };
        if text.last() != Some(&b'\n') {
            text.push(b'\n');
        }
        print(&text)
    }

    /// Prints JSON as a table, unless JSON was asked for or a program reads it.
    ///
    /// # Errors
    /// When stdout can't be written.
    pub(crate) fn table(&self, body: &[u8], table: &Table) -> Result<(), Failure> {
        if self.form != Form::Table {
            return self.json(body);
        }
        let Ok(value) = serde_json::from_slice(body) else { return self.json(body) };
        let size = if self.terminal { terminal_size() } else { None };
        let width = size.map(|(Width(width), _)| usize::from(width));
        let height = size.map(|(_, Height(height))| usize::from(height));
        let text = table.render(value, width, self.colours, *Local::now().offset());
        page(&text, height)
    }

    /// Passes a value by, however long it is, and changes nothing of it.
    ///
    /// # Errors
    /// When it breaks off, or stdout can't be written.
    #[expect(clippy::unused_self, reason = "callers need not know what it takes to print")]
    pub(crate) fn pass(&self, mut value: impl Read) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        copy(&mut value, &mut stdout, &mut |_| {}).map_err(|stopped| match stopped {
            Stopped::Reading(error) => Failure::broken_off(&error),
            Stopped::Writing(error) => Failure::output(&error),
        })?;
        stdout.flush().map_err(|error| Failure::output(&error))
    }
}

/// Prints bytes as they are.
///
/// # Errors
/// When stdout can't be written.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
}

/// Whether colours are welcome where there is a terminal.
pub(crate) fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
        && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Which end of a copy failed.
#[derive(Debug)]
pub(crate) enum Stopped {
    Reading(io::Error),
    Writing(io::Error),
}

/// Copies to the end, and tells how many bytes there have been.
///
/// # Errors
/// When one of the two ends fails.
pub(crate) fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Stopped> {
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stopped::Reading(error)),
        };
        to.write_all(piece.get(..read).unwrap_or_default()).map_err(Stopped::Writing)?;
        copied += read as u64;
        progress(copied);
    }
}

/// Prints text, by a pager if it is longer than the terminal is high. `PAGER` says which; empty for none.
fn page(text: &str, height: Option<usize>) -> Result<(), Failure> {
    let fits = height.is_none_or(|height| text.lines().count() < height);
    let wanted = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if fits || wanted.trim().is_empty() || !io::stdin().is_terminal() {
        return print(text.as_bytes());
    }
    let pager = Command::new("sh")
        .args(["-c", &wanted])
        // Colours, no clearing of the screen, and long lines to the side.
        .envs([("LESS", "FRSX"), ("LV", "-c")])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut pager) = pager else { return print(text.as_bytes()) };
    if let Some(mut stdin) = pager.stdin.take() {
        // Leaving the pager early is not an error.
        drop(stdin.write_all(text.as_bytes()));
    }
    match pager.wait() {
        // What a shell says when there is no such program.
        Ok(status) if status.code() == Some(127) => print(text.as_bytes()),
        Ok(_) | Err(_) => Ok(()),
    }
}
