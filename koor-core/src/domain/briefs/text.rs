//! The brief as text for a model, within a budget of tokens.
//!
//! There is no tokenizer here. Each text is charged at least as many tokens as it can have: a run of letters costs two for
//! each three, everything else one for each byte. So the text is well below the budget where it is ordinary prose, and
//! within it whatever it is made of.

use std::fmt::Write as _;

use super::Brief;
use crate::{domain::messages::Listed, ids::EventId};

/// The most tokens of the text, as they are charged.
const BUDGET: usize = 300;

/// What is kept for the last lines, which say what was left out.
const FOR_THE_REST: usize = 40;

/// What is said when there is nothing to say.
const QUIET: &str = "Nothing new. Work: koor next";

/// The most letters of a name or a subject.
const MAX_SHOWN: usize = 40;

/// The most letters of the reason not to begin anything, which names a project.
const MAX_REASON: usize = 80;

/// The brief as text, and which messages it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefText {
    /// Lines, each with an end.
    pub text: String,
    /// The messages that it shows.
    pub shown: Vec<EventId>,
}

/// Lines within a budget.
struct Lines {
    text: String,
    left: usize,
}

impl Lines {
    /// Adds a line if there is room for it.
    fn add(&mut self, line: &str) -> bool {
        let cost = cost(line) + 1;
        let fits = cost <= self.left;
        if fits {
            self.left -= cost;
            self.text.push_str(line);
            self.text.push('\n');
        }
        fits
    }
}

impl Brief {
    /// The brief as text of at most 300 tokens, most urgent first; each line names the command that deals with it.
    #[must_use]
    pub fn to_text(&self) -> BriefText {
        let mut lines = Lines { text: String::new(), left: BUDGET - FOR_THE_REST };
        let mut shown = Vec::new();
        let stop = self.stop_reason();
        if let Some(reason) = &stop {
            let (reason, rest) = reason.split_once(" until ").unwrap_or((reason, ""));
            let until = if rest.is_empty() { String::new() } else { format!(" until {rest}") };
            lines.add(&format!("STOP: {}{until}: begin nothing new", shortened(reason, MAX_REASON)));
        }
        if self.is_quiet() {
            if stop.is_none() {
                lines.add(QUIET);
            }
            return BriefText { text: lines.text, shown };
        }
        let mut show = |lines: &mut Lines, urgent: bool, most: usize| {
            let wanted = self.messages.iter().filter(|listed| listed.message.urgent == urgent);
            for listed in wanted.take(most) {
                if lines.add(&message_line(listed)) {
                    shown.push(listed.message.id);
                }
            }
        };
        show(&mut lines, true, 3);
        for waiting in self.waiting.iter().take(2) {
            let (name, path) = (short(waiting.name.as_str()), short(waiting.path.as_str()));
            lines.add(&format!("{name} waits for {path}: koor lease release"));
        }
        for claim in self.claims.iter().take(2) {
            let number = &claim["number"];
            lines.add(&format!("task {number} is yours, {}: koor done {number}", title(claim)));
        }
        if self.violations > 0 {
            lines.add(&format!("{} violations: koor compliance history", self.violations));
        }
        if self.rules_changed > 0 {
            lines.add(&format!("{} changes of rules: koor rules list", self.rules_changed));
        }
        show(&mut lines, false, 3);
        if let Some(first) = self.review.first() {
            let (count, number) = (self.review.len(), &first["number"]);
            lines.add(&format!("{count} in review, as {}: koor task approve {number}", title(first)));
        }
        if let Some(first) = self.ready.next.first().filter(|_| self.claims.is_empty() && stop.is_none()) {
            lines.add(&format!("{} tasks ready, as {}: koor next", self.ready.count, title(first)));
        }
        if let Some(first) = self.changes.first() {
            let count: u64 = self.changes.iter().map(|change| change.count).sum();
            let topic = short(first.topic.as_str());
            lines.add(&format!("{count} changes by others, as {topic}: koor events history"));
        }
        lines.left += FOR_THE_REST;
        let more = self.unread.saturating_sub(shown.len() as u64);
        if more > 0 {
            lines.add(&format!("+{more} more: koor msg inbox"));
        }
        BriefText { text: lines.text, shown }
    }
}

fn message_line(listed: &Listed) -> String {
    let message = &listed.message;
    let about = if message.subject.is_empty() { &message.body } else { &message.subject };
    let (from, about) = (short(&message.from), short(about));
    let urgent = if message.urgent { "urgent " } else { "" };
    let mut line = format!("{urgent}message from {from}: {about}: koor msg read {}", message.id);
    if message.ack {
        // Writing to a String cannot fail.
        let _ = write!(line, ", ack {}", message.id);
    }
    line
}

/// The title of a task.
fn title(task: &serde_json::Value) -> String {
    short(task["title"].as_str().unwrap_or_default())
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    shortened(text, MAX_SHOWN)
}

/// The beginning of a text, on one line, of at most so many letters and tokens.
fn shortened(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).take(most).collect();
    // Of texts whose letters have many bytes, less.
    while cost(&shown) > most {
        shown.pop();
    }
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// At least as many tokens as the text has.
fn cost(text: &str) -> usize {
    let mut total = 0;
    let mut run = 0_usize;
    for c in text.chars() {
        if c.is_ascii_lowercase() {
            run += 1;
            continue;
        }
        total += (2 * run).div_ceil(3);
        run = 0;
        // A space belongs to the word behind it.
        total += if c == ' ' { 0 } else { c.len_utf8() };
    }
    total + (2 * run).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_costs_at_least_its_tokens() {
        for (text, expected) in [("", 0), ("koor msg read 7", 9), ("a1b2", 4), ("ü", 2), ("AB", 2)] {
            assert_eq!(cost(text), expected, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_and_stay_on_one_line() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"x".repeat(100)), format!("{}…", "x".repeat(40)));
        assert!(cost(&short(&"漢".repeat(100))) <= MAX_SHOWN + 3);
    }
}
