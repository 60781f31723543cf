//! What waits for what: a task for those it comes after, and a parent for its children.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use serde::{Deserialize, Serialize};

use crate::ids::TaskNumber;

/// How a task is linked with others of its project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLinks {
    /// The task.
    pub number: TaskNumber,
    /// The tasks that must be done before it.
    pub after: Vec<TaskNumber>,
    /// The task that it is a part of.
    pub parent: Option<TaskNumber>,
}

/// Which tasks wait for which.
#[derive(Debug)]
pub struct TaskGraph(BTreeMap<TaskNumber, BTreeSet<TaskNumber>>);

impl TaskGraph {
    /// The graph of tasks that are linked so.
    pub fn new<'l>(links: impl IntoIterator<Item = &'l TaskLinks>) -> Self {
        let mut waits_for: BTreeMap<TaskNumber, BTreeSet<TaskNumber>> = BTreeMap::new();
        for of in links {
            waits_for.entry(of.number).or_default().extend(of.after.iter().copied());
            if let Some(parent) = of.parent {
                waits_for.entry(parent).or_default().insert(of.number);
            }
        }
        Self(waits_for)
    }

    /// Finds a cycle through `start`: the tasks on the way from it back to it, with it at both ends.
    ///
    /// The way is the shortest, and the same each time.
    #[must_use]
    pub fn find_cycle(&self, start: TaskNumber) -> Option<Vec<TaskNumber>> {
        let mut came_from: BTreeMap<TaskNumber, TaskNumber> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(number) = next.pop_front() {
            for before in self.0.get(&number).into_iter().flatten().copied() {
                if before == start {
                    let mut way = vec![start, number];
                    while let Some(number) = way.last().and_then(|last| came_from.get(last)).copied() {
                        way.push(number);
                    }
                    way.reverse();
                    return Some(way);
                }
                if let Entry::Vacant(unseen) = came_from.entry(before) {
                    unseen.insert(number);
                    next.push_back(before);
                }
            }
        }
        None
    }
}

/// A cycle as it is shown: `3 → 7 → 3`.
pub(crate) fn show(cycle: &[TaskNumber]) -> String {
    let numbers: Vec<String> = cycle.iter().map(ToString::to_string).collect();
    numbers.join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> TaskNumber {
        TaskNumber::new(number).unwrap()
    }

    fn cycle(start: u64, tasks: &[(u64, &[u64], Option<u64>)]) -> Option<String> {
        let links = tasks.iter().map(|(task, after, parent)| {
            let after = after.iter().copied().map(number).collect();
            TaskLinks { number: number(*task), after, parent: parent.map(number) }
        });
        let links: Vec<TaskLinks> = links.collect();
        TaskGraph::new(&links).find_cycle(number(start)).map(|cycle| show(&cycle))
    }

    #[test]
    fn a_cycle_is_shown_from_where_it_was_closed() {
        assert_eq!(cycle(3, &[(3, &[7], None), (7, &[3], None)]).as_deref(), Some("3 → 7 → 3"));
        assert_eq!(cycle(1, &[(1, &[1], None)]).as_deref(), Some("1 → 1"));
        let long: &[(u64, &[u64], Option<u64>)] =
            &[(1, &[2, 5], None), (2, &[3], None), (3, &[4], None), (4, &[1], None), (5, &[], None)];
        assert_eq!(cycle(1, long).as_deref(), Some("1 → 2 → 3 → 4 → 1"));
        assert_eq!(cycle(5, long), None);
        // A cycle that does not go through the task is not its own.
        assert_eq!(cycle(9, &[(9, &[3], None), (3, &[7], None), (7, &[3], None)]), None);
    }

    #[test]
    fn a_diamond_is_no_cycle() {
        assert_eq!(cycle(1, &[(1, &[2, 3], None), (2, &[4], None), (3, &[4], None), (4, &[], None)]), None);
    }

    #[test]
    fn a_parent_waits_for_its_children() {
        // A child that comes after its own parent, and one that comes after its grandparent.
        assert_eq!(cycle(2, &[(1, &[], None), (2, &[1], Some(1))]).as_deref(), Some("2 → 1 → 2"));
        let grandchild: &[(u64, &[u64], Option<u64>)] =
            &[(1, &[], None), (2, &[], Some(1)), (3, &[1], Some(2))];
        assert_eq!(cycle(3, grandchild).as_deref(), Some("3 → 1 → 2 → 3"));
        // Its own parent in a circle.
        assert_eq!(cycle(1, &[(1, &[], Some(2)), (2, &[], Some(1))]).as_deref(), Some("1 → 2 → 1"));
        // Brothers may come one after the other.
        assert_eq!(cycle(3, &[(1, &[], None), (2, &[], Some(1)), (3, &[2], Some(1))]), None);
    }
}
