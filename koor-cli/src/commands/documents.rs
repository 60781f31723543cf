//! What state and specs have in common: documents with versions.

mod advice;

use std::{
    fmt, fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use koor_core::{Invalid, time_span::TimeSpan};

use crate::{
    client::{Answer, Client, Request},
    context::Context,
    exit::Failure,
    input::Input,
    output::{Column, Kind, Rows, Stopped, Table, copy},
};

/// A document that has versions: where it is, and how it is called.
pub(crate) trait Document {
    /// A request about it.
    fn on<'a>(&self, client: &'a Client, method: fn(&'a Client, &str) -> Request<'a>) -> Request<'a>;

    /// Its name, for people.
    fn name(&self) -> String;

    /// The names of documents that exist and that may have been meant.
    ///
    /// # Errors
    /// When the server refuses, or can't be reached.
    fn others(&self, client: &Client) -> Result<Vec<String>, Failure>;
}

/// What can be done with one.
pub(crate) trait Deed {
    /// Does it.
    ///
    /// # Errors
    /// When the server refuses, or can't be reached.
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure>;
}

/// A document, and what is done with it.
#[derive(Debug, Args)]
pub(crate) struct On<D: Args, H: Args> {
    #[command(flatten)]
    document: D,
    #[command(flatten)]
    how: H,
}

impl<D: Args + Document, H: Args + Deed> On<D, H> {
    /// Does it.
    ///
    /// # Errors
    /// When the server refuses, or can't be reached.
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        self.how.run(context, &self.document).map_err(|failure| {
            // Only people read advice, and it takes another request.
            if !io::stderr().is_terminal() {
                return failure;
            }
            match advice::on(&failure, &self.document, &context.client) {
                Some(advice) => failure.advise(advice),
                None => failure,
            }
        })
    }
}

/// Which version is read, and where to.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Read this version instead of the newest
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Deed for Get {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let request = document.on(&context.client, Client::get).queries("version", self.version);
        match &self.output {
            None => print(context, request.send()?),
            Some(path) => save(request.send()?, path),
        }
    }
}

/// What is stored, and on which condition.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    input: Input,
    /// Media type [default: application/json for --data; detected for a file]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    condition: Condition,
    /// Write only if the document does not exist
    #[arg(long, conflicts_with_all = ["if_match", "if_version"])]
    create: bool,
}

impl Deed for Set {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let value = self.input.read_as(self.content_type.as_deref())?;
        let kind = self.content_type.clone().unwrap_or_else(|| kind_of(&value).to_owned());
        let request = self.condition.hold(document.on(&context.client, Client::put));
        context.show_write(
            request.header("If-None-Match", self.create.then(|| "*".to_owned())).bytes(value, kind),
        )
    }
}

/// On which condition a document is changed.
#[derive(Debug, Args)]
pub(crate) struct Condition {
    /// Write only if the newest version has this hash
    #[arg(long, value_name = "HASH", conflicts_with = "if_version")]
    if_match: Option<String>,
    /// Write only if this is the newest version; 0: only if there is none
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

impl Condition {
    /// A request that holds only on this condition.
    pub(crate) fn hold<'a>(&self, request: Request<'a>) -> Request<'a> {
        let tag = self.if_match.as_ref().map(|hash| match hash.as_str() {
            tag if tag == "*" || tag.contains('"') => tag.to_owned(),
            hash => format!("\"{hash}\""),
        });
        request.header("If-Match", tag).queries("if_version", self.if_version)
    }
}

/// On which condition a document is deleted.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    condition: Condition,
}

impl Deed for Delete {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        context.show_write(self.condition.hold(document.on(&context.client, Client::delete)))
    }
}

/// How much of a document's history is listed.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Maximum number of versions
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

const VERSIONS: Table = Table {
    rows: Rows::In("versions"),
    columns: &[
        Column("VERSION", "/version", Kind::Number),
        Column("UPDATED", "/updated_at", Kind::Time),
        Column("SIZE", "/size", Kind::Bytes),
        Column("HASH", "/hash", Kind::Hash),
        Column("DELETED", "/deleted", Kind::Text),
        Column("TYPE", "/content_type", Kind::Text),
        Column("BY", "/updated_by", Kind::Text),
    ],
    empty: "no versions",
};

impl Deed for History {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let request = document.on(&context.client, Client::get).query("history", 1);
        context.table(request.queries("limit", self.limit), &VERSIONS)
    }
}

/// To which version a document goes back.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Version to restore
    #[arg(long, value_name = "N")]
    version: u64,
    #[command(flatten)]
    condition: Condition,
}

impl Deed for Rollback {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let request = document.on(&context.client, Client::post).query("rollback", self.version);
        context.show_write(self.condition.hold(request))
    }
}

/// Which versions are compared.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Older version
    #[arg(long, value_name = "N")]
    v1: u64,
    /// Newer version
    #[arg(long, value_name = "N")]
    v2: u64,
    /// Print an RFC 6902 patch
    #[arg(long, value_name = "FORMAT")]
    format: Option<DiffFormat>,
}

/// How differences are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DiffFormat {
    JsonPatch,
}

const DIFFS: Table = Table {
    rows: Rows::In("diffs"),
    columns: &[
        Column("PATH", "/path", Kind::Name),
        Column("KIND", "/kind", Kind::State),
        Column("OLD", "/old", Kind::Text),
        Column("NEW", "/new", Kind::Text),
    ],
    empty: "no differences",
};

impl Deed for Diff {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let versions = format!("{},{}", self.v1, self.v2);
        let request = document.on(&context.client, Client::get).query("diff", versions);
        match self.format {
            None => context.table(request, &DIFFS),
            Some(DiffFormat::JsonPatch) => context.show(request.query("format", "json-patch")),
        }
    }
}

/// For what, and how long, is waited.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait for a version greater than this [default: the newest one now]
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// Maximum time to wait
    #[arg(long, value_name = "TIME", default_value = "5m")]
    timeout: Span,
}

impl Deed for Wait {
    fn run(&self, context: &Context, document: &dyn Document) -> Result<(), Failure> {
        let request = document.on(&context.client, Client::get);
        let request = request.query("wait", &self.timeout).queries("version", self.after);
        let answer = request.patience(self.timeout.patience()).send()?;
        if answer.status() == 304 {
            let timeout = &self.timeout.text;
            return Err(Failure::refused(format_args!(
                "{} did not change within {timeout}",
                document.name()
            )));
        }
        print(context, answer)
    }
}

/// A span of time that a server is asked to wait.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    text: String,
    span: TimeSpan,
}

impl Span {
    /// The span itself.
    pub(crate) fn get(&self) -> Duration {
        self.span.get()
    }

    /// How long to wait for an answer that may take so long.
    pub(crate) fn patience(&self) -> Duration {
        self.span.get().saturating_add(Duration::from_secs(30))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(Self { text: text.to_owned(), span: text.parse()? })
    }
}

/// The media type of a value for which none is given.
fn kind_of(value: &[u8]) -> &'static str {
    if serde_json::from_slice::<serde::de::IgnoredAny>(value).is_ok() {
        "application/json"
    } else if std::str::from_utf8(value).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

/// Prints a value byte for byte. JSON ends its line, and so does text on a terminal.
fn print(context: &Context, answer: Answer) -> Result<(), Failure> {
    if answer.is_json() {
        return context.output.json(&answer.bytes()?);
    }
    if !context.output.is_terminal() {
        return context.output.pass(answer.reader());
    }
    let value = answer.bytes()?;
    match std::str::from_utf8(&value) {
        Ok(text) if !text.contains('\0') => context.output.line(text.strip_suffix('\n').unwrap_or(text)),
        Ok(_) | Err(_) => Err(Failure::refused(
            "this value is no text, and would upset the terminal: put it into a file with --output FILE",
        )),
    }
}

/// Writes an answer into a file, byte for byte.
///
/// # Errors
/// When it breaks off, or the file can't be written.
pub(crate) fn save(answer: Answer, path: &Path) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::refused(format_args!("cannot write {}: {error}", path.display()));
    let mut file = fs::File::create(path).map_err(cannot)?;
    copy(&mut answer.reader(), &mut file, &mut |_| {}).map_err(|stopped| match stopped {
        Stopped::Reading(error) => Failure::broken_off(&error),
        Stopped::Writing(error) => cannot(error),
    })?;
    file.flush().map_err(cannot)
}
