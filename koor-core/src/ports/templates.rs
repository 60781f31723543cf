//! The templates.

use crate::{
    domain::templates::{Template, TemplateKind},
    ids::TemplateId,
    ports::StoreResult,
};

/// The read half of the templates.
pub trait TemplateRead {
    /// The template of that id.
    fn template(&mut self, id: &TemplateId) -> StoreResult<Option<Template>>;

    /// Templates of that kind and with that tag, where these are given: last updated first, and by id where that is
    /// the same.
    fn templates(&mut self, kind: Option<TemplateKind>, tag: Option<&str>) -> StoreResult<Vec<Template>>;
}

/// The whole of it.
pub trait TemplateRepo: TemplateRead {
    /// Keeps a template under its id, new or changed.
    fn put_template(&mut self, template: &Template) -> StoreResult<()>;

    /// Forgets a template.
    fn remove_template(&mut self, id: &TemplateId) -> StoreResult<()>;
}
