//! What to do about a refusal: the names that may have been meant, or what another has written meanwhile.

use serde::Deserialize;

use super::Document;
use crate::{
    client::{Answer, Client},
    exit::Failure,
};

/// The maximum number of names that are suggested.
const SUGGESTIONS: usize = 3;

/// Advice on a refusal, where there is some. A server that does not answer again gets no second chance: the refusal itself
/// says enough.
pub(super) fn on(failure: &Failure, document: &impl Document, client: &Client) -> Option<String> {
    match failure.status()? {
        404 => {
            let near = nearest(&document.name(), document.others(client).ok()?);
            (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")))
        }
        412 => current(document, client).ok(),
        _ => None,
    }
}

/// What is there now, and who wrote it.
fn current(document: &impl Document, client: &Client) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct History {
        versions: Vec<Newest>,
    }
    #[derive(Deserialize)]
    struct Newest {
        version: u64,
        updated_by: String,
        #[serde(default)]
        deleted: bool,
    }
    let history = document.on(client, Client::get).query("history", 1).query("limit", 1);
    let History { versions } = history.send().and_then(Answer::json)?;
    let Some(Newest { version, updated_by, deleted }) = versions.first() else {
        return Ok("it does not exist: write it with --create".to_owned());
    };
    let by = match updated_by.as_str() {
        "" => String::new(),
        id => format!(" by {}", name_of(id, client).unwrap_or_else(|| id.to_owned())),
    };
    let verb = if *deleted { "deleted" } else { "written" };
    Ok(format!(
        "version {version} was {verb}{by}. Read it, merge your change, and write with --if-version {version}"
    ))
}

/// The name of an instance.
fn name_of(id: &str, client: &Client) -> Option<String> {
    #[derive(Deserialize)]
    struct Instance {
        name: String,
    }
    let found = client.get("/api/instances").segment(id).send().and_then(Answer::json);
    found.ok().map(|Instance { name }| name)
}

/// The names most like the wanted one, best first: those that need few edits for their length, or contain it.
fn nearest(given: &str, names: Vec<String>) -> Vec<String> {
    let wanted = given.to_lowercase();
    let length = wanted.chars().count();
    let mut near: Vec<(usize, String)> = names
        .into_iter()
        .filter(|name| name != given)
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let edits = edits(&wanted, &lower);
            let contains = lower.contains(&wanted) || wanted.contains(&lower);
            (edits < length && edits <= (length / 4).max(2) || contains).then_some((edits, name))
        })
        .collect();
    near.sort();
    near.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

/// The Levenshtein distance: the number of characters to insert, delete or replace.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, c) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("plan", "plna", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(edits(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn near_names_come_first_and_far_ones_not_at_all() {
        let names = ["P/plan", "P/plans", "p/plan", "P/plan/old", "Q/other", "P/x"];
        let names = || names.map(str::to_owned).to_vec();
        assert_eq!(nearest("P/plna", names()), ["P/plan", "P/plans", "p/plan"]);
        assert_eq!(nearest("plan", names()), ["P/plan", "p/plan", "P/plans"]);
        assert_eq!(nearest("nothing-like-it", names()), [""; 0]);
        assert_eq!(nearest("P/plan", vec!["P/plan".to_owned()]), [""; 0], "a version of it may be missing");
    }
}
