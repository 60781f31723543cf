//! The skill: how an agent uses Koor, in the open format that clients read.

/// The text of the skill.
pub(crate) const TEXT: &str = include_str!("../templates/skill/SKILL.md");

/// Where it is, below a project or a home directory: together, these reach every client.
pub(crate) const PATHS: [&str; 2] = [".agents/skills/koor/SKILL.md", ".claude/skills/koor/SKILL.md"];

/// Whether a text is the skill, of whatever version.
pub(crate) fn is_own(text: &str) -> bool {
    text.lines().take(5).any(|line| line.trim() == "name: koor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> usize {
        tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
    }

    #[test]
    fn the_skill_is_small_and_its_description_smaller() {
        let description = TEXT.lines().find_map(|line| line.strip_prefix("description: ")).unwrap();
        assert!(description.len() <= 60 && tokens(description) <= 60, "{description}");
        assert!(tokens(TEXT) <= 400, "{}", tokens(TEXT));
        assert!(is_own(TEXT) && !is_own("---\nname: other\n---\nkoor\n"));
    }
}
