//! The tasks of a project as a tree: each below what waits for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::exit::Failure;

/// What the tree is drawn from.
struct Node<'t> {
    title: &'t str,
    status: &'t str,
    /// What it waits for: the tasks it comes after, and its parts.
    below: BTreeSet<u64>,
}

/// Draws the tasks that nothing waits for, and below each what it waits for; or one of them.
///
/// # Errors
/// When there is no such task.
pub(super) fn draw(tasks: &[Value], only: Option<u64>) -> Result<String, Failure> {
    let mut nodes: BTreeMap<u64, Node<'_>> = BTreeMap::new();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    for task in tasks {
        let after = task["after"].as_array().into_iter().flatten().map(number);
        let (title, status) =
            (task["title"].as_str().unwrap_or_default(), task["status"].as_str().unwrap_or_default());
        nodes.insert(number(&task["number"]), Node { title, status, below: after.collect() });
    }
    for task in tasks {
        if let Some(parent) = task["parent"].as_u64().and_then(|parent| nodes.get_mut(&parent)) {
            parent.below.insert(number(&task["number"]));
        }
    }
    let waited_for: BTreeSet<u64> = nodes.values().flat_map(|node| node.below.iter().copied()).collect();
    let roots: Vec<u64> = match only {
        Some(only) if nodes.contains_key(&only) => vec![only],
        Some(only) => return Err(Failure::refused(format_args!("there is no task {only}"))),
        None => nodes.keys().copied().filter(|number| !waited_for.contains(number)).collect(),
    };
    let mut drawing = Drawing { nodes: &nodes, drawn: BTreeSet::new(), lines: Vec::new() };
    for root in roots {
        drawing.add(root, 0, "", "");
    }
    Ok(if drawing.lines.is_empty() { "no tasks".to_owned() } else { drawing.lines.join("\n") })
}

struct Drawing<'t> {
    nodes: &'t BTreeMap<u64, Node<'t>>,
    drawn: BTreeSet<u64>,
    lines: Vec<String>,
}

impl Drawing<'_> {
    fn add(&mut self, number: u64, depth: usize, lead: &str, below: &str) {
        /// Deeper ones are left out: the tree is for people.
        const DEEPEST: usize = 64;
        let Some(node) = self.nodes.get(&number) else { return };
        let again = !self.drawn.insert(number) && !node.below.is_empty();
        let more = if again { " …" } else { "" };
        self.lines.push(format!("{lead}{number} {} [{}]{more}", node.title, node.status));
        // What is drawn twice has what is below it drawn once.
        if again || depth >= DEEPEST {
            return;
        }
        let last = node.below.last().copied();
        for child in node.below.iter().copied() {
            let (branch, rest) = if Some(child) == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.add(child, depth + 1, &format!("{below}{branch}"), &format!("{below}{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_task_stands_below_what_waits_for_it() {
        let task = |number: u64, after: &[u64], parent: Option<u64>| json!({"number": number, "title": format!("t{number}"), "status": "open", "after": after, "parent": parent});
        let tasks = [
            task(1, &[], None),
            task(2, &[1], None),
            task(3, &[1, 2], None),
            task(4, &[], Some(3)),
            task(5, &[], None),
        ];
        let expected = "\
3 t3 [open]
├─ 1 t1 [open]
├─ 2 t2 [open]
│  └─ 1 t1 [open]
└─ 4 t4 [open]
5 t5 [open]";
        assert_eq!(draw(&tasks, None).unwrap(), expected);
        assert_eq!(draw(&tasks, Some(2)).unwrap(), "2 t2 [open]\n└─ 1 t1 [open]");
        assert!(draw(&tasks, Some(9)).is_err());
        assert_eq!(draw(&[], None).unwrap(), "no tasks");
    }
}
