//! What is known of a setting without its value.

/// How a setting is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Once.
    One,
    /// Once, and empty means off or none. For all others, an empty variable counts as missing.
    MayBeEmpty,
    /// Any number of times; a variable separates values by commas, a file has a list.
    Many,
    /// A flag without a value.
    Switch,
}

/// What is known of a setting without its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// The key in the file. The flag and the variable are named after it.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// What a value is called in the help.
    pub(crate) value: &'static str,
    /// `None`: there is no default.
    pub(crate) default: Option<&'static str>,
    pub(crate) help: &'static str,
}

impl Setting {
    /// The flag, without its dashes.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The variable of the environment.
    pub(crate) fn variable(&self) -> String {
        format!("KOOR_{}", self.key.to_ascii_uppercase())
    }
}
