//! Where a path has its parameters.

/// The maximum number of parameters in a path.
const PARAMS: usize = 3;

/// Where in a path its parameters are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Params {
    spans: [(usize, usize); PARAMS],
    pub(crate) count: usize,
}

impl Params {
    /// The parameter of that number, as it stands in the path.
    pub(crate) fn get<'a>(&self, number: usize, path: &'a str) -> &'a str {
        let (from, to) = self.spans.get(number).copied().unwrap_or_default();
        path.get(from..to).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, from: usize, to: usize) {
        if let Some(span) = self.spans.get_mut(self.count) {
            *span = (from, to);
            self.count += 1;
        }
    }
}
