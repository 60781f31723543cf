//! What comes of a command: exact JSON for programs, tables for people.

mod indent;
mod table;

use std::io::{self, IsTerminal as _, Read, Write};

use terminal_size::{Width, terminal_size};

use crate::{args::Global, client::broken_off, exit::Failure};

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
    terminal: bool,
    colours: bool,
}

impl Output {
    /// What was asked for, or what suits whoever reads it.
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
        Ok(Self { form, terminal, colours: terminal && colours_wanted() })
    }

    /// Whether a person reads the results, as far as one can know.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether results are shown as tables.
    pub(crate) fn is_for_people(&self) -> bool {
        self.form == Form::Table
    }

    /// Prints a line of text, whatever form was asked for.
    ///
    /// # Errors
    /// When stdout can't be written.
    pub(crate) fn line(&self, line: impl std::fmt::Display) -> Result<(), Failure> {
        self.write(format!("{line}\n").as_bytes())
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
        self.write(&text)
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
        let width =
            if self.terminal { terminal_size().map(|(Width(width), _)| usize::from(width)) } else { None };
        let text = table.render(value, width, self.colours);
        self.write(text.as_bytes())
    }

    /// Passes a value by, however long it is, and changes nothing of it.
    ///
    /// # Errors
    /// When it breaks off, or stdout can't be written.
    pub(crate) fn pass(&self, mut value: impl Read) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        copy(&mut value, &mut stdout, &mut |_| {}).map_err(|stopped| match stopped {
            Stopped::Reading(error) => broken_off(&error),
            Stopped::Writing(error) => Failure::output(&error),
        })?;
        stdout.flush().map_err(|error| Failure::output(&error))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::output(&error))
    }
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
