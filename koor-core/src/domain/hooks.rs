//! Hooks: what a client of an agent is told at each moment of a session. Pure rules: when an edit is refused, and when an agent
//! that stops is kept going.

mod stop;
mod words;

use std::{fmt, str::FromStr};

use crate::error::Invalid;

pub use stop::{MAX_STOPS, StopDecision, StopState, Waiting, WorkLeft, decide_stop};
pub use words::{HeldBy, could_not_tell, quoted, shell_word};

/// What a check found out. The third outcome is not the first: what it leads to is for the policy to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is in the way.
    Allowed,
    /// Something is in the way: why, and what to do.
    Refused(String),
    /// It could not be checked: why not.
    Unknown(String),
}

/// What an edit of a free path does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathPolicy {
    /// It takes a lease for the path.
    #[default]
    Auto,
    /// It takes nothing.
    Check,
}

/// What keeps an agent going that stops, beside a claimed task and urgent messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StopPolicy {
    /// Nothing.
    #[default]
    Rest,
    /// A task that it could claim.
    Work,
    /// A task that it could claim or any message; if there is none, it waits for one.
    Wait,
}

/// What happens when a check could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPolicy {
    /// The action is allowed, and the agent is told once in a session.
    #[default]
    Allow,
    /// The action is refused.
    Strict,
}

/// How the hooks of an agent behave, written as words with commas between them: `work,check,strict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookPolicy {
    /// What an edit of a free path does.
    pub paths: PathPolicy,
    /// What keeps an agent going.
    pub stop: StopPolicy,
    /// What happens when a check could not be made.
    pub unknown: UnknownPolicy,
}

impl FromStr for HookPolicy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut policy = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "auto" => policy.paths = PathPolicy::Auto,
                "check" => policy.paths = PathPolicy::Check,
                "rest" => policy.stop = StopPolicy::Rest,
                "work" => policy.stop = StopPolicy::Work,
                "wait" => policy.stop = StopPolicy::Wait,
                "allow" => policy.unknown = UnknownPolicy::Allow,
                "strict" => policy.unknown = UnknownPolicy::Strict,
                _ => {
                    return Err(Invalid::new(format!(
                        "unknown policy {word:?} (use auto or check, rest, work or wait, allow or strict, with commas \
                         between them)"
                    )));
                }
            }
        }
        Ok(policy)
    }
}

impl fmt::Display for HookPolicy {
    /// The words that differ from the default; empty for the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.paths == PathPolicy::Check).then_some("check"),
            match self.stop {
                StopPolicy::Rest => None,
                StopPolicy::Work => Some("work"),
                StopPolicy::Wait => Some("wait"),
            },
            (self.unknown == UnknownPolicy::Strict).then_some("strict"),
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        f.write_str(&words.join(","))
    }
}

impl Verdict {
    /// Whether the action is refused, and why: a check that could not be made refuses where the policy is strict.
    #[must_use]
    pub fn refusal(&self, policy: UnknownPolicy) -> Option<String> {
        match (self, policy) {
            (Self::Refused(why), _) => Some(why.clone()),
            (Self::Unknown(why), UnknownPolicy::Strict) => Some(format!(
                "{} The policy of this project is strict: try again when the server answers.",
                could_not_tell(why)
            )),
            (Self::Allowed, _) | (Self::Unknown(_), UnknownPolicy::Allow) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for text in ["", "work", "check,wait,strict", "strict"] {
            assert_eq!(text.parse::<HookPolicy>().unwrap().to_string(), text);
        }
        assert_eq!("auto, rest,allow".parse(), Ok(HookPolicy::default()));
        let refused = "work,fast".parse::<HookPolicy>().unwrap_err().to_string();
        assert!(refused.starts_with("unknown policy \"fast\""), "{refused}");
    }

    #[test]
    fn a_check_that_was_not_made_never_looks_like_one_that_passed() {
        let unknown = Verdict::Unknown("connection refused".to_owned());
        assert_eq!(unknown.refusal(UnknownPolicy::Allow), None);
        let refusal = unknown.refusal(UnknownPolicy::Strict).unwrap();
        assert!(refusal.contains("connection refused") && refusal.contains("strict"), "{refusal}");
        assert_ne!(unknown, Verdict::Allowed);
        let held = Verdict::Refused("held".to_owned());
        for policy in [UnknownPolicy::Allow, UnknownPolicy::Strict] {
            assert_eq!(held.refusal(policy), Some("held".to_owned()));
            assert_eq!(Verdict::Allowed.refusal(policy), None);
        }
    }
}
