//! What calls a hook: a client of agents, or git before a commit.

use clap::{ValueEnum, builder::PossibleValue};

use super::clients::Client;

/// What calls a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Client(Client),
    /// Git, before a commit.
    Git,
}

impl Target {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client(client) => client.table().name,
            Self::Git => "git",
        }
    }
}

impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Target; 7] = {
            let [a, b, c, d, e, f] = Client::ALL;
            [
                Target::Client(a),
                Target::Client(b),
                Target::Client(c),
                Target::Client(d),
                Target::Client(e),
                Target::Client(f),
                Target::Git,
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
