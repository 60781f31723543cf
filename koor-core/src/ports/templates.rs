//! The templates.

use crate::{
    domain::templates::{Template, TemplateKind, TemplateSummary},
    ids::TemplateId,
    ports::StoreResult,
};

/// The templates.
pub trait TemplateRepo {
    /// The template of that id.
    fn template(&mut self, id: &TemplateId) -> StoreResult<Option<Template>>;

    /// Templates of that kind and with that tag, where these are given: last updated first, and by id where that is
    /// the same.
    fn templates(
        &mut self,
        kind: Option<TemplateKind>,
        tag: Option<&str>,
    ) -> StoreResult<Vec<TemplateSummary>>;
}

/// A change of the templates.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateChange {
    /// Keep a template under its id, new or changed.
    Put(Template),
    /// Forget a template.
    Remove(TemplateId),
}
