//! Which tasks an agent can claim.

use crate::{
    domain::tasks::Task,
    ids::{AgentName, ProjectName},
};

/// Asks for the tasks that can be claimed, the most urgent first: those without an assignee, or those assigned to one agent.
///
/// A store answers it by spans of an index, one for each set of needs that fits: it orders the tasks of one assignee by their
/// [`needs_key`], and goes from one set to the next that can fit with [`next_fit`](Self::next_fit). So tasks that do not fit cost
/// nothing, however many they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadyQuery {
    /// In this project.
    pub project: ProjectName,
    /// The assignee; `None` asks for tasks without one.
    pub assignee: Option<AgentName>,
    /// With all of these labels, in order.
    pub labels: Vec<String>,
    /// That need nothing beyond these capabilities, in order.
    pub capabilities: Vec<String>,
}

impl ReadyQuery {
    /// The two questions that find what an agent can claim.
    #[must_use]
    pub fn of(
        project: &ProjectName,
        agent: &AgentName,
        capabilities: &[String],
        labels: &[String],
    ) -> [Self; 2] {
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort();
            words.dedup();
            words
        };
        let (labels, capabilities) = (sorted(labels), sorted(capabilities));
        [None, Some(agent.clone())].map(|assignee| Self {
            project: project.clone(),
            assignee,
            labels: labels.clone(),
            capabilities: capabilities.clone(),
        })
    }

    /// Whether the task is one of those asked for.
    #[must_use]
    pub fn matches(&self, task: &Task) -> bool {
        task.claimable
            && task.project == self.project
            && task.assignee == self.assignee
            && self.labels.iter().all(|label| task.labels.contains(label))
            && task.needs.iter().all(|need| self.capabilities.contains(need))
    }

    /// Whether tasks with these needs fit, or else where to look for the next that can.
    #[must_use]
    pub fn next_fit(&self, needs_key: &str) -> NextFit {
        let needs: Vec<&str> = needs_key.split_terminator(END).collect();
        let Some(missing) = needs.iter().position(|need| !self.can(need)) else { return NextFit::This };
        // All sets that begin as this one does, up to the need that is missing, lack that too. So the next that can fit has at
        // that place, or where it has none at the place before, one of the agent's own words instead.
        for place in (0..=missing).rev() {
            let later =
                self.capabilities.iter().filter(|own| own.as_str() > needs[place] && !own.contains(END));
            if let Some(own) = later.min() {
                let words = needs[..place].iter().copied().chain([own.as_str()]);
                return NextFit::From(words.flat_map(|word| word.chars().chain([END])).collect());
            }
        }
        NextFit::None
    }

    fn can(&self, need: &str) -> bool {
        self.capabilities.iter().any(|own| own == need)
    }
}

/// Ends each word of a [`needs_key`]. No word has it, and everything in words comes after it: it is a control character.
const END: char = '\u{1}';

/// What a task needs, as one text: its words in order, each with an end. These texts are in the order of the lists of words.
#[must_use]
pub fn needs_key(needs: &[String]) -> String {
    let mut words: Vec<&str> = needs.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    words.into_iter().flat_map(|word| word.chars().chain([END])).collect()
}

/// Whether a set of needs fits an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextFit {
    /// It does.
    This,
    /// It does not, nor does any before this key.
    From(String),
    /// It does not, nor does any after it.
    None,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(letters: &str) -> Vec<String> {
        letters.chars().map(String::from).collect()
    }

    fn query(capabilities: &str) -> ReadyQuery {
        let (project, name) = ("p".parse().unwrap(), "a".parse().unwrap());
        let [query, _] = ReadyQuery::of(&project, &name, &words(capabilities), &[]);
        query
    }

    /// Goes through the sets there are as a store does; answers those that fit, and how many it has looked at.
    fn walk(sets: &BTreeSet<String>, query: &ReadyQuery) -> (Vec<String>, usize) {
        let (mut fits, mut steps) = (Vec::new(), 0);
        let mut next = sets.first().cloned();
        while let Some(set) = next {
            steps += 1;
            next = match query.next_fit(&set) {
                NextFit::This => {
                    fits.push(set.clone());
                    sets.range(format!("{set}\0")..).next().cloned()
                }
                NextFit::From(bound) => {
                    assert!(bound > set, "{bound:?} does not come after {set:?}");
                    sets.range(bound..).next().cloned()
                }
                NextFit::None => None,
            };
        }
        (fits, steps)
    }

    #[test]
    fn a_walk_finds_exactly_the_sets_that_fit() {
        // Every set of five letters, in every choice of which sets there are by a pattern of bits, for every agent.
        let subsets: Vec<String> = (0..32_u32)
            .map(|bits| {
                "abcde".chars().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, c)| c).collect()
            })
            .collect();
        for pattern in [u32::MAX, 0x5555_5555, 0x8421_8421, 0xffff_0000, 0x0f0f_00ff, 1, 0] {
            let sets: Vec<&String> = subsets
                .iter()
                .enumerate()
                .filter(|(n, _)| pattern >> n & 1 == 1)
                .map(|(_, set)| set)
                .collect();
            let keys = sets.iter().map(|set| needs_key(&words(set))).collect();
            for own in &subsets {
                let expected: Vec<String> = (sets.iter())
                    .filter(|set| set.chars().all(|need| own.contains(need)))
                    .map(|set| needs_key(&words(set)))
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect();
                assert_eq!(walk(&keys, &query(own)).0, expected, "of {sets:?} for {own}");
            }
        }
    }

    #[test]
    fn sets_that_do_not_fit_are_stepped_over_however_many_they_are() {
        let needs = (0..10_000).map(|n| needs_key(&["b".to_owned(), format!("x{n:05}")]));
        let sets = needs.chain([String::new(), needs_key(&words("b"))]).collect();
        let (fits, steps) = walk(&sets, &query("bz"));
        assert_eq!((fits.len(), steps), (2, 3));
    }

    #[test]
    fn keys_are_in_the_order_of_their_words() {
        let key =
            |words: &[&str]| needs_key(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(key(&["b", "a", "b"]), "a\u{1}b\u{1}");
        let sorted =
            [key(&[]), key(&["a"]), key(&["a", "b"]), key(&["a b"]), key(&["a!"]), key(&["ab"]), key(&["b"])];
        assert!(sorted.is_sorted(), "{sorted:?}");
    }
}
