//! An event as a client writes it, read by the client's table. Members that the table does not name do not matter.

use std::path::PathBuf;

use serde_json::Value;

use super::{Touches, Translation};
use crate::{
    commands::hook::{
        event::{HookEvent, Tool},
        patch,
    },
    settings::session::SessionId,
};

impl Translation {
    /// The event in Koor's words; `None` for one that is not for Koor.
    pub(crate) fn read(&self, event: &Value) -> Option<HookEvent> {
        let fields = &self.fields;
        let name = text(event, fields.event)?;
        let (_, moment) = self.events.iter().find(|(known, _)| *known == name)?;
        let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(event, pointer));
        let interrupted =
            fields.interrupted.is_some_and(|(pointer, value)| text(event, pointer) == Some(value));
        Some(HookEvent {
            moment: *moment,
            name: name.to_owned(),
            session: first(fields.session).and_then(SessionId::new),
            directory: first(fields.directory).map(PathBuf::from).filter(|path| path.is_absolute()),
            tool: self.tool(event),
            prompt: text(event, fields.prompt).unwrap_or_default().to_owned(),
            interrupted,
        })
    }

    fn tool(&self, event: &Value) -> Tool {
        let name = text(event, self.fields.tool).unwrap_or_default();
        let Some((_, touches)) = self.tools.iter().find(|(known, _)| *known == name) else {
            return Tool::Other;
        };
        let Some(input) = event.pointer(self.fields.input) else { return Tool::Other };
        let said = |pointer: &str| text(input, pointer).map(str::to_owned);
        let tool = match touches {
            Touches::Path(pointer) => said(pointer).map(|path| Tool::Edit(vec![path])),
            Touches::Patch(pointer) => said(pointer).map(|text| Tool::Edit(patch::files(&text))),
            Touches::Command(pointer) => said(pointer).map(Tool::Shell),
        };
        tool.unwrap_or(Tool::Other)
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}
