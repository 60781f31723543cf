//! Tasks as clients ask for them, and what they may hold.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::{
    clock::Timestamp,
    domain::{
        RawJson, line, prose,
        tasks::{Fence, Priority, Task, TaskStatus},
    },
    error::Invalid,
    ids::{AgentName, ProjectName, TaskNumber, Version},
    schema::{ChosenKey, FullLine, Line, Needs, Prose, Word},
};

/// What a result may take up; larger things belong into state.
pub const MAX_RESULT: usize = 64 << 10;

/// The most labels, and the most capabilities that can be needed: more would be a text, not a choice.
const MAX_WORDS: usize = 50;

/// The most tasks that one can come after: each is looked up when it is made.
const MAX_AFTER: usize = 500;

/// The most attempts that can be asked for.
const MAX_ATTEMPTS: u32 = 100;

/// Another task: by its number, or by the key of one in the same array.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TaskReference {
    /// By its number.
    Number(TaskNumber),
    /// By its key.
    Key(#[schemars(with = "ChosenKey")] String),
}

/// A task as a client writes it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "TaskDraft", transform = Needs(&["title"]))]
#[expect(missing_docs, reason = "each field is that of the task")]
pub struct TaskFields {
    #[schemars(with = "FullLine")]
    pub title: String,
    #[schemars(with = "Prose")]
    pub body: String,
    #[schemars(with = "Option<Priority>")]
    pub priority: Option<u64>,
    #[schemars(with = "Vec<Word>", length(max = 50))]
    pub labels: Vec<String>,
    #[schemars(with = "Vec<Word>", length(max = 50))]
    pub needs: Vec<String>,
    #[schemars(length(max = 500))]
    pub after: Vec<TaskReference>,
    pub parent: Option<TaskReference>,
    #[schemars(with = "Option<Line>")]
    pub assignee: Option<String>,
    pub review: bool,
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    #[schemars(with = "Option<Timestamp>")]
    pub not_before: Option<String>,
    #[schemars(with = "Option<ChosenKey>")]
    pub key: Option<String>,
}

/// A task that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is that of the task")]
pub struct TaskDraft {
    pub title: String,
    pub body: String,
    pub priority: Priority,
    pub labels: Vec<String>,
    pub needs: Vec<String>,
    pub after: Vec<TaskReference>,
    pub parent: Option<TaskReference>,
    pub assignee: Option<AgentName>,
    pub review: bool,
    pub max_attempts: u32,
    pub not_before: Option<Timestamp>,
    pub key: Option<String>,
}

impl TryFrom<TaskFields> for TaskDraft {
    type Error = Invalid;

    fn try_from(fields: TaskFields) -> Result<Self, Invalid> {
        Ok(Self {
            title: title(&fields.title)?,
            body: prose("body", fields.body)?,
            priority: fields.priority.map_or(Ok(Priority::default()), Priority::try_from)?,
            labels: words("label", fields.labels)?,
            needs: words("needs", fields.needs)?,
            after: bounded_after(fields.after)?,
            parent: fields.parent,
            assignee: assignee(fields.assignee)?,
            review: fields.review,
            max_attempts: max_attempts(fields.max_attempts.unwrap_or(3))?,
            not_before: moment(fields.not_before.as_deref())?,
            key: fields.key.map(key).transpose()?,
        })
    }
}

impl TaskDraft {
    /// The task that this makes, as yet without what it is linked with.
    #[must_use]
    pub fn into_task(self, project: ProjectName, number: TaskNumber, author: &str, now: Timestamp) -> Task {
        Task {
            project,
            number,
            title: self.title,
            body: self.body,
            status: TaskStatus::Open,
            blocked_by: Vec::new(),
            claimable: false,
            priority: self.priority,
            labels: self.labels,
            needs: self.needs,
            after: Vec::new(),
            parent: None,
            assignee: self.assignee,
            review: self.review,
            claim: None,
            fence: Fence::default(),
            attempts: 0,
            max_attempts: self.max_attempts,
            not_before: self.not_before,
            result: None,
            reason: None,
            key: self.key,
            created_by: author.to_owned(),
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
            revision: 1,
            done_by: None,
            notes: 0,
        }
    }
}

/// Changes of a task as a client writes them. A field that is absent stays as it is; the outer `None` says so.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "TaskEdit", extend("minProperties" = 1))]
#[expect(missing_docs, reason = "each field is that of the task")]
pub struct TaskEditFields {
    #[schemars(with = "Option<FullLine>")]
    pub title: Option<String>,
    #[schemars(with = "Option<Prose>")]
    pub body: Option<String>,
    #[schemars(with = "Option<Priority>")]
    pub priority: Option<u64>,
    #[schemars(with = "Option<Vec<Word>>", length(max = 50))]
    pub labels: Option<Vec<String>>,
    #[schemars(with = "Option<Vec<Word>>", length(max = 50))]
    pub needs: Option<Vec<String>>,
    #[schemars(length(max = 500))]
    pub after: Option<Vec<TaskNumber>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<TaskNumber>")]
    pub parent: Option<Option<TaskNumber>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Line>")]
    pub assignee: Option<Option<String>>,
    pub review: Option<bool>,
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Timestamp>")]
    pub not_before: Option<Option<String>>,
}

#[expect(
    clippy::option_option,
    reason = "null takes out what may be absent, which is not the same as not given"
)]
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes that can be made to a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is that of the task; `None` leaves it as it is")]
pub struct TaskEdit {
    pub title: Option<String>,
    pub body: Option<String>,
    pub priority: Option<Priority>,
    pub labels: Option<Vec<String>>,
    pub needs: Option<Vec<String>>,
    pub after: Option<Vec<TaskNumber>>,
    pub parent: Option<Option<TaskNumber>>,
    pub assignee: Option<Option<AgentName>>,
    pub review: Option<bool>,
    pub max_attempts: Option<u32>,
    pub not_before: Option<Option<Timestamp>>,
}

impl TryFrom<TaskEditFields> for TaskEdit {
    type Error = Invalid;

    fn try_from(fields: TaskEditFields) -> Result<Self, Invalid> {
        let edit = Self {
            title: fields.title.as_deref().map(title).transpose()?,
            body: fields.body.map(|body| prose("body", body)).transpose()?,
            priority: fields.priority.map(Priority::try_from).transpose()?,
            labels: fields.labels.map(|labels| words("label", labels)).transpose()?,
            needs: fields.needs.map(|needs| words("needs", needs)).transpose()?,
            after: fields.after.map(bounded_after).transpose()?.map(tidy_after),
            parent: fields.parent,
            assignee: fields.assignee.map(assignee).transpose()?,
            review: fields.review,
            max_attempts: fields.max_attempts.map(max_attempts).transpose()?,
            not_before: fields.not_before.map(|text| moment(text.as_deref())).transpose()?,
        };
        if edit == Self::default() {
            return Err(Invalid::new(
                "nothing to change: give title, body, priority, labels, needs, after, parent, assignee, review, \
                 max_attempts or not_before",
            ));
        }
        Ok(edit)
    }
}

/// Whether the texts of a task are such as a new one can have.
pub(super) fn check(task: &Task) -> Result<(), Invalid> {
    title(&task.title)?;
    prose("body", task.body.as_str())?;
    words("label", task.labels.clone())?;
    words("needs", task.needs.clone())?;
    bounded_after(task.after.clone())?;
    max_attempts(task.max_attempts)?;
    checked_result(task.result.clone())?;
    task.key.clone().map(key).transpose()?;
    line("created_by", task.created_by.as_str())?;
    remark("reason", task.reason.clone()).map(drop)
}

/// The numbers of tasks to come after, in order and each once.
pub(crate) fn tidy_after(mut after: Vec<TaskNumber>) -> Vec<TaskNumber> {
    after.sort_unstable();
    after.dedup();
    after
}

/// A note, a reason or the like.
pub(crate) fn remark(field: &str, text: Option<String>) -> Result<Option<String>, Invalid> {
    Ok(text.map(|text| prose(field, text)).transpose()?.filter(|text| !text.trim().is_empty()))
}

/// A result that is not too large; `null` is none.
pub(crate) fn checked_result(result: Option<RawJson>) -> Result<Option<RawJson>, Invalid> {
    match result {
        Some(result) if result.as_str().len() > MAX_RESULT => Err(Invalid::new(format!(
            "result is {} bytes long, at most {MAX_RESULT} are allowed: put it into state and name its key here",
            result.as_str().len()
        ))),
        result => Ok(result.filter(|result| *result != RawJson::null())),
    }
}

fn title(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::new("title is required"));
    }
    line("title", text)
}

fn words(what: &str, given: Vec<String>) -> Result<Vec<String>, Invalid> {
    if given.len() > MAX_WORDS {
        return Err(Invalid::new(format!("{} {what} given, at most {MAX_WORDS} are allowed", given.len())));
    }
    let mut words: Vec<String> = Vec::with_capacity(given.len());
    for word in given {
        let word = line(what, word.trim())?;
        if word.is_empty() {
            return Err(Invalid::new(format!("{what} must not be empty")));
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words)
}

fn bounded_after<T>(after: Vec<T>) -> Result<Vec<T>, Invalid> {
    if after.len() > MAX_AFTER {
        return Err(Invalid::new(format!(
            "after names {} tasks, at most {MAX_AFTER} are allowed",
            after.len()
        )));
    }
    Ok(after)
}

fn assignee(name: Option<String>) -> Result<Option<AgentName>, Invalid> {
    name.filter(|name| !name.is_empty()).map(AgentName::new).transpose()
}

fn max_attempts(number: u32) -> Result<u32, Invalid> {
    match number {
        1..=MAX_ATTEMPTS => Ok(number),
        _ => Err(Invalid::new(format!("max_attempts must be between 1 and {MAX_ATTEMPTS}, got {number}"))),
    }
}

fn moment(text: Option<&str>) -> Result<Option<Timestamp>, Invalid> {
    text.map(|text| Timestamp::parse_from("not_before", text)).transpose()
}

fn key(text: String) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > 200 {
        return Err(Invalid::new(format!("key must have 1 to 200 bytes, got {}", text.len())));
    }
    line("key", text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn draft(fields: Value) -> Result<TaskDraft, String> {
        let fields: TaskFields = serde_json::from_value(fields).map_err(|error| error.to_string())?;
        TaskDraft::try_from(fields).map_err(|error| error.to_string())
    }

    #[test]
    fn a_draft_has_defaults_and_bounds() {
        let fine = draft(json!({"title": " Build it ", "labels": ["a", "a", "b"], "assignee": ""})).unwrap();
        assert_eq!((fine.title.as_str(), fine.priority.get(), fine.max_attempts), ("Build it", 2, 3));
        assert_eq!((fine.labels, fine.assignee), (vec!["a".to_owned(), "b".to_owned()], None));
        for (field, value) in [
            ("title", json!("")),
            ("title", json!("a\nb")),
            ("body", json!("x".repeat((64 << 10) + 1))),
            ("priority", json!(5)),
            ("priority", json!(-1)),
            ("labels", json!([""])),
            ("labels", json!(vec!["x"; 51])),
            ("needs", json!(["a\nb"])),
            ("after", json!([0])),
            ("after", json!(vec![1; 501])),
            ("max_attempts", json!(0)),
            ("max_attempts", json!(101)),
            ("not_before", json!("soon")),
            ("key", json!("")),
            ("key", json!("x".repeat(201))),
        ] {
            let mut fields = json!({"title": "t"});
            fields[field] = value;
            assert!(draft(fields.clone()).is_err(), "{field}: {fields:.80}");
        }
    }

    #[test]
    fn null_takes_out_what_absence_leaves() {
        let edit = |text| TaskEdit::try_from(serde_json::from_str::<TaskEditFields>(text).unwrap());
        let taken_out = edit(r#"{"parent": null, "assignee": null}"#).unwrap();
        assert_eq!(
            (taken_out.parent, taken_out.assignee, taken_out.not_before),
            (Some(None), Some(None), None)
        );
        assert!(edit("{}").is_err());
    }

    #[test]
    fn a_result_is_bounded() {
        let result = |bytes: usize| Some(RawJson::of(&"x".repeat(bytes - 2)).unwrap());
        assert!(checked_result(result(MAX_RESULT)).is_ok());
        assert!(checked_result(result(MAX_RESULT + 1)).is_err());
        assert_eq!(checked_result(Some(RawJson::null())), Ok(None));
    }
}
