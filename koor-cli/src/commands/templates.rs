//! Rules and contracts to take from project to project.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    context::Context,
    exit::Failure,
    input::Input,
    output::{Column, Kind, Rows, Table},
};

/// What is done with templates.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplatesCommand {
    /// List templates, without their data
    #[command(after_help = "Examples:\n  koor templates list\n  koor templates list --kind rules --tag web")]
    List {
        /// Only of this kind: rules, contracts or bundle
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Only with this tag
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
    },

    /// Print a template
    #[command(after_help = "Example:\n  koor templates get web-basics --pretty")]
    Get(Which),

    /// Create a template from a file
    #[command(after_help = "\
Example:
  koor templates create --id web-basics --name 'Web basics' --kind rules --file rules.json --tags web,js")]
    Create(Create),

    /// Delete a template
    #[command(after_help = "Example:\n  koor templates delete web-basics")]
    Delete(Which),

    /// Apply a template to a project, all of it or nothing
    #[command(after_help = "Example:\n  koor templates apply web-basics --project Truck-Wash")]
    Apply {
        #[command(flatten)]
        which: Which,
        /// Project to apply it to
        #[arg(long, value_name = "PROJECT")]
        project: String,
    },

    /// Create a template from a project's accepted rules and contracts
    #[command(after_help = "\
Example:
  koor templates capture --id truck-basics --name 'As in Truck-Wash' --project Truck-Wash --kind bundle")]
    Capture(Capture),
}

/// Which template.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the template
    id: String,
}

/// What a template is, apart from its data.
#[derive(Debug, Args, Serialize)]
struct Label {
    /// Id of the template
    #[arg(long, value_name = "ID")]
    id: String,
    /// Name for people
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Kind of the template [default: rules]
    #[arg(long, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<TemplateKind>,
    /// Description
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Tags to find it by, separated by commas
    #[arg(long, value_name = "TAGS", value_delimiter = ',', value_parser = trimmed)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

/// People write spaces after commas.
fn trimmed(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a tag must not be empty"),
        tag => Ok(tag.to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum TemplateKind {
    Rules,
    Contracts,
    Bundle,
}

/// What is made.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    label: Label,
    #[command(flatten)]
    input: Input,
}

/// What is made of what.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Capture {
    #[command(flatten)]
    #[serde(flatten)]
    label: Label,
    /// Project to capture
    #[arg(long, value_name = "PROJECT")]
    project: String,
}

#[derive(Serialize)]
struct Template<'a> {
    #[serde(flatten)]
    label: &'a Label,
    data: Box<RawValue>,
}

#[derive(Serialize)]
struct Apply<'a> {
    project: &'a str,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Name),
        Column("KIND", "/kind", Kind::State),
        Column("VERSION", "/version", Kind::Number),
        Column("UPDATED", "/updated_at", Kind::Time),
        Column("NAME", "/name", Kind::Text),
        Column("TAGS", "/tags", Kind::Text),
        Column("DESCRIPTION", "/description", Kind::Text),
    ],
    empty: "no templates",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &TemplatesCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    let base = "/api/templates";
    match command {
        TemplatesCommand::List { kind, tag } => {
            context.table(client.get(base).queries("kind", kind).queries("tag", tag), &TABLE)
        }
        TemplatesCommand::Get(Which { id }) => context.show(client.get(base).segment(id)),
        TemplatesCommand::Create(Create { label, input }) => {
            context.show_write(client.post(base).json(&Template { label, data: input.read_json()? })?)
        }
        TemplatesCommand::Delete(Which { id }) => context.show_write(client.delete(base).segment(id)),
        TemplatesCommand::Apply { which: Which { id }, project } => {
            context.show_write(client.post(base).segment(id).segment("apply").json(&Apply { project })?)
        }
        TemplatesCommand::Capture(capture) => {
            context.show_write(client.post("/api/templates/capture").json(capture)?)
        }
    }
}
