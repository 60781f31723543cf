//! The files of `koor-cli/templates/`, filled in.

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, syntax::SyntaxConfig};

/// Every template, by its path there.
const TEMPLATES: [(&str, &str); 21] = {
    macro_rules! templates {
        ($($path:literal),* $(,)?) => { [$(($path, include_str!(concat!("../../templates/", $path)))),*] };
    }
    templates![
        "agent/AGENTS.md",
        "common/CLAUDE.md",
        "common/cursorrules",
        "common/gitignore",
        "common/koor.mdc",
        "controller/AGENTS.md",
        "controller/agent.md",
        "controller/decisions.md",
        "controller/overview.md",
        "controller/status.md",
        "server/koor.service",
        "server/start-koor.sh",
        "stacks/c.md",
        "stacks/flutter.md",
        "stacks/generic.md",
        "stacks/go-api.md",
        "stacks/goth.md",
        "stacks/node.md",
        "stacks/python.md",
        "stacks/react.md",
        "stacks/rust.md",
    ]
};

/// Fills in the template of that path.
///
/// # Errors
/// When it asks for something that is not in `values`: a mistake in the template, which the tests find.
pub(crate) fn fill(path: &str, values: &Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    // JSON is escaped where it is written, by `tojson`; everything else is text.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (path, text) in TEMPLATES {
        environment.add_template(path, text)?;
    }
    environment.get_template(path)?.render(values)
}
