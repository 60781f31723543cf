//! The intersection of two patterns, as the product of their automata: over segments, and within each pair of segments.

use super::Segment;
use crate::pattern::Token;

/// Whether some path matches both lists of segments.
pub(super) fn overlap(left: &[Segment], right: &[Segment]) -> bool {
    // Which positions of `right` are reachable together with the position of `left` that is looked at, and with the next
    // one. Transitions never lead backwards, so one pass in order finds them all.
    let mut reachable = vec![false; right.len() + 1];
    reachable[0] = true;
    for at in 0..=left.len() {
        let mut after = vec![false; right.len() + 1];
        for other in 0..=right.len() {
            if !reachable[other] {
                continue;
            }
            let (own, theirs) = (left.get(at), right.get(other));
            if own == Some(&Segment::Many) {
                after[other] = true;
            }
            if theirs == Some(&Segment::Many) {
                reachable[other + 1] = true;
            }
            let (Some(own), Some(theirs)) = (own, theirs) else { continue };
            match (own, theirs) {
                // Either may end without a segment, so staying adds nothing.
                (Segment::Many, Segment::Many) => {}
                (Segment::Many, one) if is_possible(one) => reachable[other + 1] = true,
                (one, Segment::Many) if is_possible(one) => after[other] = true,
                (Segment::Many, _) | (_, Segment::Many) => {}
                (own, theirs) if share_a_segment(own, theirs) => after[other + 1] = true,
                _ => {}
            }
        }
        if at == left.len() {
            break;
        }
        if !after.contains(&true) {
            return false;
        }
        reachable = after;
    }
    reachable[right.len()]
}

/// Whether any segment at all matches: a class can exclude everything that a segment may hold.
fn is_possible(one: &Segment) -> bool {
    match one {
        Segment::Many | Segment::Literal(_) => true,
        Segment::Glob(pattern) => share_a_text(&sets(pattern.tokens()), &[Set::run()]),
    }
}

fn share_a_segment(left: &Segment, right: &Segment) -> bool {
    match (left, right) {
        (Segment::Literal(literal), one) | (one, Segment::Literal(literal)) => one.matches(literal),
        (Segment::Glob(left), Segment::Glob(right)) => {
            share_a_text(&sets(left.tokens()), &sets(right.tokens()))
        }
        (Segment::Many, _) | (_, Segment::Many) => true,
    }
}

/// What one token takes: characters of this set, one of them or any number.
struct Set {
    /// In order, apart, and both ends included.
    ranges: Vec<(u32, u32)>,
    repeats: bool,
}

const ALL: (u32, u32) = (0, char::MAX as u32);

impl Set {
    fn run() -> Self {
        Self { ranges: vec![ALL], repeats: true }
    }

    fn of(token: &Token) -> Self {
        let ranges = match token {
            Token::Run => return Self::run(),
            Token::One => vec![ALL],
            Token::Char(c) => vec![(u32::from(*c), u32::from(*c))],
            Token::Class { negated, ranges } => {
                let ranges = ranges.iter().map(|&(low, high)| (u32::from(low), u32::from(high)));
                if *negated { between(ranges) } else { ranges.collect() }
            }
        };
        Self { ranges, repeats: false }
    }

    /// Which characters both take.
    fn common(&self, other: &Self) -> Common {
        let mut common = Common::default();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&(low, high)), Some(&&(other_low, other_high))) = (left.peek(), right.peek()) {
            common.add(low.max(other_low), high.min(other_high));
            if high < other_high {
                left.next();
            } else {
                right.next();
            }
        }
        common
    }
}

fn sets(tokens: &[Token]) -> Vec<Set> {
    tokens.iter().map(Set::of).collect()
}

/// The ranges that lie between these.
fn between(ranges: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut from = Some(0);
    for (low, high) in ranges {
        if let Some(from) = from.filter(|from| *from < low) {
            found.push((from, low - 1));
        }
        from = (high < ALL.1).then_some(high + 1);
    }
    found.extend(from.map(|from| (from, ALL.1)));
    found
}

/// What is in common between two sets, as far as it matters: segments `.` and `..` are no part of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Common {
    dot: bool,
    other: bool,
}

impl Common {
    fn add(&mut self, low: u32, high: u32) {
        const DOT: u32 = '.' as u32;
        // All that a segment can hold beside the dot: no slash, which comes right after it, and no surrogates, which are no
        // characters.
        const OTHERS: [(u32, u32); 3] = [(0, DOT - 1), (DOT + 2, 0xd7ff), (0xe000, ALL.1)];
        self.dot |= (low..=high).contains(&DOT);
        self.other |= OTHERS.iter().any(|&(from, to)| low.max(from) <= high.min(to));
    }
}

/// What has been read of a segment, as sets of bits: nothing, one dot, two dots, anything else.
const NOTHING: u8 = 1;
const ONE_DOT: u8 = 2;
const TWO_DOTS: u8 = 4;
const MORE: u8 = 8;

/// What can have been read after one more character.
fn read_on(read: u8, common: Common) -> u8 {
    let after_dot = if common.dot { (read << 1) | (read & MORE) } else { 0 };
    let after_other = if common.other && read != 0 { MORE } else { 0 };
    (after_dot | after_other) & (NOTHING | ONE_DOT | TWO_DOTS | MORE)
}

/// Whether both take some text that can be a segment: not empty, not `.` and not `..`.
fn share_a_text(left: &[Set], right: &[Set]) -> bool {
    // For each position of `right`, what can have been read when `left` is at the position that is looked at.
    let mut reachable = vec![0_u8; right.len() + 1];
    reachable[0] = NOTHING;
    for at in 0..=left.len() {
        let mut after = vec![0_u8; right.len() + 1];
        for other in 0..=right.len() {
            let (own, theirs) = (left.get(at), right.get(other));
            let both = own.zip(theirs);
            if let Some((own, theirs)) = both
                && own.repeats
                && theirs.repeats
            {
                // Both stay: at most three characters more make a difference.
                let common = own.common(theirs);
                for _ in 0..3 {
                    reachable[other] |= read_on(reachable[other], common);
                }
            }
            let read = reachable[other];
            if read == 0 {
                continue;
            }
            if own.is_some_and(|own| own.repeats) {
                after[other] |= read;
            }
            if theirs.is_some_and(|theirs| theirs.repeats) {
                reachable[other + 1] |= read;
            }
            let Some((own, theirs)) = both else { continue };
            let read = read_on(read, own.common(theirs));
            match (own.repeats, theirs.repeats) {
                (true, true) => {}
                (true, false) => reachable[other + 1] |= read,
                (false, true) => after[other] |= read,
                (false, false) => after[other + 1] |= read,
            }
        }
        if at == left.len() {
            break;
        }
        reachable = after;
    }
    reachable[right.len()] & MORE != 0
}
