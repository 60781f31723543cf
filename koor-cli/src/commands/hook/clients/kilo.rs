//! Kilo Code: the plugin of opencode, from which it comes, in a directory of its own.

use super::{COMMON_FIELDS, Form, Setup, Translation, opencode};

pub(super) const TABLE: Translation = Translation {
    name: "kilo",
    title: "Kilo Code",
    fields: COMMON_FIELDS,
    events: opencode::EVENTS,
    tools: opencode::TOOLS,
    answer: opencode::answer,
    names_session: true,
    setup: Setup {
        user: ".config/kilo/plugins/koor.js",
        project: ".kilo/plugins/koor.js",
        form: Form::Plugin { text: opencode::PLUGIN },
        afterwards: None,
    },
};
