//! Plain questions, a line each: for screen readers, for terminals that can't draw, for answers from a pipe.

use std::io::{self, BufRead, Write};

use super::{Ask, Checked, Choice, Stop};

/// The limit of invalid answers to a question, so that a pipe of nonsense ends.
const TRIES: usize = 20;

/// Lines that are read, and lines that are written.
pub(crate) struct Plain<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Plain<R, W> {
    /// Asks there, reads here.
    pub(crate) fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    fn line(&mut self, question: &str) -> Result<String, Stop> {
        write!(self.output, "{question} ")?;
        self.output.flush()?;
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            writeln!(self.output)?;
            return Err(Stop::Cancelled);
        }
        Ok(line.trim().to_owned())
    }

    /// Asks until the answer can be read.
    fn until<T>(&mut self, question: &str, read: impl Fn(String) -> Result<T, String>) -> Result<T, Stop> {
        for _ in 0..TRIES {
            match read(self.line(question)?) {
                Ok(answer) => return Ok(answer),
                Err(wrong) => writeln!(self.output, "Not possible: {wrong}.")?,
            }
        }
        Err(Stop::Broken(io::Error::other("too many answers that are none")))
    }
}

impl<R: BufRead, W: Write> Ask for Plain<R, W> {
    fn begin(&mut self, title: &str) -> Result<(), Stop> {
        Ok(writeln!(self.output, "{title}")?)
    }

    fn text(&mut self, question: &str, default: Option<&str>, check: Checked) -> Result<String, Stop> {
        let (Checked::AsTyped(check) | Checked::WhenDone(check)) = check;
        let shown = match default {
            Some(default) => format!("{question} [{default}]"),
            None => question.to_owned(),
        };
        self.until(&shown, |line| {
            let line = if line.is_empty() { default.unwrap_or_default().to_owned() } else { line };
            check(&line).map(|()| line)
        })
    }

    fn secret(&mut self, question: &str) -> Result<String, Stop> {
        self.line(&format!("{question} (it will be seen)"))
    }

    fn choose(&mut self, question: &str, choices: &[Choice]) -> Result<usize, Stop> {
        writeln!(self.output, "{question}")?;
        for (n, Choice { label, hint }) in choices.iter().enumerate() {
            let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
            writeln!(self.output, "  {}. {label}{hint}", n + 1)?;
        }
        let most = choices.len();
        self.until(&format!("Number, 1 to {most} [1]"), |line| {
            if line.is_empty() {
                return Ok(0);
            }
            let chosen = line.parse().ok().filter(|n| (1..=most).contains(n)).map(|n| n - 1);
            let chosen = chosen.or_else(|| choices.iter().position(|c| c.label.eq_ignore_ascii_case(&line)));
            chosen.ok_or_else(|| format!("{line:?} is none of them"))
        })
    }

    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, Stop> {
        let shown = if default { "yes" } else { "no" };
        self.until(&format!("{question} yes or no [{shown}]"), |line| {
            match line.to_ascii_lowercase().as_str() {
                "" => Ok(default),
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("answer yes or no".to_owned()),
            }
        })
    }

    fn note(&mut self, title: &str, text: &str) -> Result<(), Stop> {
        Ok(writeln!(self.output, "\n{title}\n{text}\n")?)
    }

    fn warn(&mut self, text: &str) -> Result<(), Stop> {
        Ok(writeln!(self.output, "Warning: {text}")?)
    }

    fn end(&mut self, text: &str) -> Result<(), Stop> {
        Ok(writeln!(self.output, "{text}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(lines: &str, ask: impl Fn(&mut dyn Ask) -> Result<T, Stop>) -> (Result<T, Stop>, String) {
        let mut output = Vec::new();
        let answer = ask(&mut Plain::new(lines.as_bytes(), &mut output));
        (answer, String::from_utf8(output).unwrap())
    }

    fn no_x() -> Checked {
        let check = |text: &str| if text.contains('x') { Err("an x".to_owned()) } else { Ok(()) };
        Checked::AsTyped(Box::new(check))
    }

    #[test]
    fn a_text_is_asked_for_until_it_is_right() {
        let (answer, screen) = asked("ax\n b \n", |ask| ask.text("Name?", Some("d"), no_x()));
        assert_eq!(answer.unwrap(), "b");
        assert_eq!(screen, "Name? [d] Not possible: an x.\nName? [d] ");
        let (answer, _) = asked("\n", |ask| ask.text("Name?", Some("d"), no_x()));
        assert_eq!(answer.unwrap(), "d");
    }

    #[test]
    fn a_choice_is_made_by_number_or_by_name() {
        let choices = || ["goth", "rust"].map(|label| Choice { label: label.into(), hint: String::new() });
        for (lines, chosen) in [("2\n", 1), ("RUST\n", 1), ("\n", 0), ("3\nno\n1\n", 0)] {
            let (answer, _) = asked(lines, |ask| ask.choose("Stack?", &choices()));
            assert_eq!(answer.unwrap(), chosen, "{lines:?}");
        }
    }

    #[test]
    fn the_end_of_the_answers_is_a_no_to_everything() {
        let (answer, _) = asked("", |ask| ask.confirm("Really?", true));
        assert!(matches!(answer, Err(Stop::Cancelled)));
        let (answer, _) = asked(&"what\n".repeat(30), |ask| ask.confirm("Really?", true));
        assert!(matches!(answer, Err(Stop::Broken(_))));
    }
}
