//! The table of the five tools: what a model reads of them, and what they take.
//!
//! The words are paid for in every session of every agent. A test in `tests/budget.rs` holds them to their budget.

use std::sync::{Arc, LazyLock};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// Which tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    RegisterInstance,
    DiscoverInstances,
    SetIntent,
    GetEndpoints,
    ProposeRule,
}

/// A tool, as the table has it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    pub(crate) called: &'static str,
    description: &'static str,
    read_only: bool,
    pub(crate) arguments: &'static [Argument],
}

/// An argument. All of them are texts.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    about: &'static str,
    pub(crate) required: bool,
    /// What it can be, the default first; empty where it can be anything.
    one_of: &'static [&'static str],
}

impl Argument {
    const fn required(name: &'static str, about: &'static str) -> Self {
        Self { name, about, required: true, one_of: &[] }
    }

    const fn optional(name: &'static str, about: &'static str) -> Self {
        Self { name, about, required: false, one_of: &[] }
    }

    const fn one_of(name: &'static str, one_of: &'static [&'static str], about: &'static str) -> Self {
        Self { name, about, required: false, one_of }
    }

    fn schema(&self) -> Value {
        let mut schema = json!({"type": "string"});
        if !self.about.is_empty() {
            schema["description"] = json!(self.about);
        }
        if let Some(default) = self.one_of.first() {
            schema["enum"] = json!(self.one_of);
            schema["default"] = json!(default);
        }
        schema
    }
}

#[rustfmt::skip]
pub(crate) static TOOLS: [Definition; 5] = [
    Definition {
        name: Name::RegisterInstance,
        called: "register_instance",
        description: "Join the other agents: call once, before anything else. Returns your instance_id, which set_intent \
            needs, and your token, shown only now. You are pending until `koor-cli activate <instance_id>` is run.",
        read_only: false,
        arguments: &[
            Argument::required("name", "Your role, e.g. frontend"),
            Argument::optional("workspace", "Your project or directory, e.g. Truck-Wash"),
            Argument::optional("intent", "What you are about to do"),
            Argument::optional("stack", "E.g. goth, react"),
            Argument::optional("capabilities", "What others may ask of you, comma-separated"),
        ],
    },
    Definition {
        name: Name::DiscoverInstances,
        called: "discover_instances",
        description: "List the agents with intent and status (pending, active, stale = silent too long), last seen first. \
            Filters match exactly and all must hold; without any, everyone is listed.",
        read_only: true,
        arguments: &[
            Argument::optional("name", ""),
            Argument::optional("workspace", ""),
            Argument::optional("stack", ""),
            Argument::optional("capability", ""),
        ],
    },
    Definition {
        name: Name::SetIntent,
        called: "set_intent",
        description: "Tell the others what you work on, whenever it changes. Also refreshes last_seen, so that you do not \
            go stale.",
        read_only: false,
        arguments: &[
            Argument::required("instance_id", "From register_instance"),
            Argument::required("intent", ""),
        ],
    },
    Definition {
        name: Name::GetEndpoints,
        called: "get_endpoints",
        description: "Get the base URL, every REST route and how to use koor-cli. Call once: state, specs and events are \
            read and written that way, so that they stay out of your context.",
        read_only: true,
        arguments: &[],
    },
    Definition {
        name: Name::ProposeRule,
        called: "propose_rule",
        description: "Propose a validation rule from a mistake worth not repeating. It checks nothing until a person \
            accepts it.",
        read_only: false,
        arguments: &[
            Argument::required("project", ""),
            Argument::required("rule_id", "E.g. no-inline-sql"),
            Argument::required("pattern", "Regex; for custom a built-in check, e.g. no-secrets, max-line-length:100"),
            Argument::required("message", "What to tell when it is broken"),
            Argument::one_of("severity", &["error", "warning"], ""),
            Argument::one_of("match_type", &["regex", "missing", "custom"],
                "regex: no line may match; missing: the file must match"),
            Argument::optional("stack", "Only files of this stack"),
            Argument::optional("proposed_by", "Your instance_id"),
            Argument::optional("context", "What went wrong"),
        ],
    },
];

impl Definition {
    /// The tool of that name, if there is one.
    pub(crate) fn find(called: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| tool.called == called)
    }

    fn tool(&self) -> Tool {
        let properties: JsonObject =
            self.arguments.iter().map(|argument| (argument.name.to_owned(), argument.schema())).collect();
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        let required: Vec<_> = self
            .arguments
            .iter()
            .filter(|argument| argument.required)
            .map(|argument| argument.name)
            .collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let annotations = if self.read_only {
            ToolAnnotations::new().read_only(true)
        } else {
            ToolAnnotations::new().destructive(false)
        };
        Tool::new(self.called, self.description, Arc::new(schema)).with_annotations(annotations)
    }
}

/// The five tools, as `tools/list` shows them.
pub(crate) fn all() -> &'static [Tool] {
    static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| TOOLS.iter().map(Definition::tool).collect());
    &ALL
}

/// What a model reads of the five tools: the `tools` array of `tools/list`.
#[must_use]
pub fn definitions() -> Value {
    json!(all())
}
