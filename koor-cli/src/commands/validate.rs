//! `koor validate`: files held against a project's rules.

mod check;
mod files;
mod report;

use std::{
    io::{self, BufWriter, IsTerminal as _},
    path::PathBuf,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use self::{
    check::{Against, Verdict},
    report::{Format, Report, plain},
};
use crate::{
    client::Client,
    context::Context,
    exit::{Failure, warn},
};

/// What `koor validate --help` ends with.
pub(crate) const EXAMPLES: &str = "\
Directories are searched for files that .gitignore does not name. Binary files and those over 4 MiB are skipped. Ends
with 0 when no rule of severity error is broken, with 1 when one is.

Examples:
  koor validate Truck-Wash src/main.rs
  koor validate Truck-Wash --stack go-api .
  git show :src/main.rs | koor validate Truck-Wash - --filename src/main.rs
  git diff --cached --name-only --diff-filter=ACM -z | xargs -0r koor validate Truck-Wash";

/// The flags of `validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Project whose rules apply, beside those of _global
    project: String,

    /// Files and directories; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Skip the rules of other stacks
    #[arg(long)]
    stack: Option<String>,

    /// Format of the violations
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// File name of the text on standard input; many rules apply to some files only
    #[arg(long, value_name = "NAME")]
    filename: Option<String>,
}

/// Checks files. Violations go to stdout, everything else to stderr.
///
/// # Errors
/// When a rule of severity error is broken, a file can't be read, or the server can't be asked.
pub(crate) fn run(args: &ValidateArgs, context: &Context, json: bool) -> Result<(), Failure> {
    let client = &context.client;
    let format = if json { Format::Json } else { args.format };
    let sources = files::find(&args.files, args.filename.as_deref())?;
    if !has_rules(client, &args.project)? {
        warn(format_args!("project {} has no rules of its own: is it written so?", plain(&args.project)));
    }
    let progress = progress(sources.len());
    let mut report = Report::new(format, BufWriter::new(io::stdout()));
    let against = Against { client, project: &args.project, stack: args.stack.as_deref() };
    let checked = check::each(&sources, against, |source, verdict| {
        progress.inc(1);
        match verdict {
            Verdict::Checked(violations) if violations.is_empty() => report.file(&source.name, violations),
            Verdict::Checked(violations) => progress.suspend(|| report.file(&source.name, violations)),
            Verdict::Skipped(why) => {
                report.tally.skipped += 1;
                progress.suspend(|| warn(format_args!("{}: skipped: {why}", plain(&source.name))));
                Ok(())
            }
            Verdict::Unreadable(error) => {
                report.tally.unread += 1;
                progress.suspend(|| warn(format_args!("{}: cannot be read: {error}", plain(&source.name))));
                Ok(())
            }
        }
        .map_err(|error| Failure::output(&error))
    });
    progress.finish_and_clear();
    let (tally, found) = report.end(&args.project).map_err(|error| Failure::output(&error))?;
    checked?;
    if let Some(found) = found {
        context.output.json(found.to_string().as_bytes())?;
    }
    warn(tally);
    if tally.errors > 0 || tally.unread > 0 { Err(Failure::said_already()) } else { Ok(()) }
}

/// Whether the project has any rules: a name that is written wrongly would let everything pass.
fn has_rules(client: &Client, project: &str) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Rules {
        rules: Vec<serde::de::IgnoredAny>,
    }
    let answer = client.get("/api/validate").segment(project).segment("rules").send()?;
    Ok(!answer.json::<Rules>()?.rules.is_empty())
}

/// A bar on a terminal; elsewhere nothing.
fn progress(files: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left");
    let bar = ProgressBar::new(files as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
