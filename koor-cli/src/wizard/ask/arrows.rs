//! Questions with arrow keys, and checks while one types.

use super::{Ask, Checked, Choice, Stop};

/// A terminal.
pub(crate) struct Arrows;

impl Ask for Arrows {
    fn begin(&mut self, title: &str) -> Result<(), Stop> {
        Ok(cliclack::intro(title)?)
    }

    fn text(&mut self, question: &str, default: Option<&str>, check: Checked) -> Result<String, Stop> {
        let mut input = cliclack::input(question);
        if let Some(default) = default {
            input = input.default_input(default);
        }
        let mut input = match check {
            Checked::AsTyped(check) => input.validate_interactively(move |text: &String| check(text)),
            Checked::WhenDone(check) => input.validate(move |text: &String| check(text)),
        };
        Ok(input.interact()?)
    }

    fn secret(&mut self, question: &str) -> Result<String, Stop> {
        Ok(cliclack::password(question).mask('*').interact()?)
    }

    fn choose(&mut self, question: &str, choices: &[Choice]) -> Result<usize, Stop> {
        let items: Vec<(usize, &str, &str)> =
            choices.iter().enumerate().map(|(n, c)| (n, c.label.as_str(), c.hint.as_str())).collect();
        Ok(cliclack::select(question).items(&items).interact()?)
    }

    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, Stop> {
        Ok(cliclack::confirm(question).initial_value(default).interact()?)
    }

    fn note(&mut self, title: &str, text: &str) -> Result<(), Stop> {
        Ok(cliclack::note(title, text)?)
    }

    fn warn(&mut self, text: &str) -> Result<(), Stop> {
        Ok(cliclack::log::warning(text)?)
    }

    fn end(&mut self, text: &str) -> Result<(), Stop> {
        Ok(cliclack::outro(text)?)
    }
}
