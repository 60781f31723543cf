//! The content of a file, line by line.

/// A file's content, and what is worth knowing of it once for all rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) text: &'a str,
    pub(super) ascii: bool,
    pub(super) lone_returns: bool,
}

impl<'a> Content<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let is_lone = |at: usize| bytes.get(at + 1) != Some(&b'\n');
        let lone_returns = text.match_indices('\r').any(|(at, _)| is_lone(at));
        Self { text, ascii: text.is_ascii(), lone_returns }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'a str)> {
        Lines::of(self.text)
    }
}

/// Lines and their numbers, from a place that can be moved on.
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0, number: 0 }
    }

    /// Skips the lines that end before this place.
    pub(super) fn skip_to(&mut self, place: usize) {
        let skipped = self.text.get(self.at..place).unwrap_or_default();
        if let Some(last) = skipped.rfind('\n') {
            self.at += last + 1;
            self.number += skipped.bytes().filter(|byte| *byte == b'\n').count();
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split_inclusive('\n').next()?;
        self.at += line.len();
        self.number += 1;
        let line = line.strip_suffix('\n').unwrap_or(line);
        Some((self.number, line.strip_suffix('\r').unwrap_or(line)))
    }
}
