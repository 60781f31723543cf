//! Capturing a project as a template, and applying one.

mod commands;
mod queries;

pub(super) use commands::checked;
pub use commands::{ApplyTemplate, CreateTemplate, DeleteTemplate, ReplaceTemplate, TemplateDraft};
