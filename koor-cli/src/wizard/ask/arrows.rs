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
        // The library shows the hint of the chosen one alone: who does not know the words needs all of them.
        let widest = choices.iter().map(|choice| choice.label.chars().count()).max().unwrap_or_default();
        let shown = |choice: &Choice| {
            let line = format!("{:<widest$}  {}", choice.label, choice.hint);
            line.trim_end().to_owned()
        };
        let items: Vec<(usize, String, &str)> =
            choices.iter().enumerate().map(|(n, choice)| (n, shown(choice), "")).collect();
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
