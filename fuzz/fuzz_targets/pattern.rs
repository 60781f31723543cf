//! Globs: held against a matcher that is plainly right and plainly slow.
#![no_main]

use koor_core::{
    ids::Topic,
    pattern::{Pattern, TopicFilter},
};
use libfuzzer_sys::fuzz_target;

/// Whether a glob of plain characters, `*` and `?` matches.
fn plainly(glob: &[char], text: &[char]) -> bool {
    // Row by row: which prefixes of the text the glob's prefix matches.
    let mut row: Vec<bool> = (0..=text.len()).map(|at| at == 0).collect();
    for token in glob {
        let mut next = vec![false; text.len() + 1];
        next[0] = *token == '*' && row[0];
        for at in 1..=text.len() {
            next[at] = match token {
                '*' => next[at - 1] || row[at],
                '?' => row[at - 1],
                c => row[at - 1] && *c == text[at - 1],
            };
        }
        row = next;
    }
    row[text.len()]
}

// The glob on the first line, the text on those that follow.
fuzz_target!(|sent: &str| {
    let (glob, text) = sent.split_once('\n').unwrap_or((sent, ""));
    let Ok(pattern) = Pattern::new(glob) else { return };
    let written = pattern.as_str();
    assert!(written == glob || (glob.is_empty() && written == "*"));
    let matches = pattern.matches(text);
    if !written.contains(['[', '\\']) {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(matches, plainly(&chars(written), &chars(text)), "{glob:?} on {text:?}");
    }
    if let Some(literal) = pattern.literal() {
        assert_eq!(matches, literal == text);
        assert!(pattern.matches(literal));
    }
    if let Ok(topic) = Topic::new(text) {
        let system = pattern.matches_system();
        let wanted = TopicFilter::new(vec![pattern]).matches(&topic);
        assert_eq!(wanted, matches && (system || !topic.is_system()), "{glob:?} on {text:?}");
    }
});
