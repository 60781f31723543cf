//! Saving everything, and bringing it back.

use std::{collections::BTreeSet, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::Access,
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        Actor, ContentType,
        audit::{Action, ChainWalk, ChainedEntry},
        backup::{Backup, SavedLog, SavedState, SavedVersion, SavedWebhook},
        budgets::{Budget, TaskCost},
        events::Event,
        instances::Instance,
        leases::{Lease, SavedLastLease, SavedLease},
        messages::{Delivered, GoneAgent, Mailbox, SavedBriefed, SavedMessage},
        rules::Rule,
        sessions::AgentSession,
        state::{Document, Revision},
        tasks::{SavedTask, TaskMove, check_saved},
        templates::Template,
        usage::UsageRecord,
    },
    error::{Error, Invalid},
    ids::{Cursor, DocumentKey, Hash, MAX_RESTORED, UsageId, Version},
    ports::{BudgetChange, Change, EventChange, FactSet, MessageChange, TaskChange},
    use_cases::{rules::bound, state::keep, templates},
};

/// Who may take a backup, and how the audit log speaks of it; [`Koor::backup`](crate::Koor::backup) takes it and records
/// how that ended.
#[derive(Debug)]
pub struct CreateBackup;

impl Command for CreateBackup {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::to(Action::BackupCreate, "", Access::Admin("take a backup"))
    }

    fn apply(&self, _: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        Ok(Applied::new(()))
    }
}

/// What was brought back, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Restored {
    /// State documents.
    pub state: u64,
    /// Versions of state documents.
    pub state_versions: u64,
    /// Specs.
    pub specs: u64,
    /// Versions of specs.
    pub spec_versions: u64,
    /// Rules.
    pub rules: u64,
    /// Templates.
    pub templates: u64,
    /// Webhooks.
    pub webhooks: u64,
    /// Instances.
    pub instances: u64,
    /// Events.
    pub events: u64,
    /// Tasks.
    pub tasks: u64,
    /// Leases.
    pub leases: u64,
    /// Messages.
    pub messages: u64,
    /// Audit entries.
    pub audit: u64,
    /// Usage records.
    pub usage: u64,
    /// Budgets.
    pub budgets: u64,
}

/// Brings back a backup, all of it or nothing.
///
/// On an empty server everything comes back as it was, with versions and times. Where something is there already,
/// nothing is lost: a document gets the saved one as its newest version, if it differs; rules, templates and webhooks
/// are replaced; instances stay as they are, and so do the tasks of a project that has some; and the event log, the audit log and the usage records, which only grow, are
/// left alone. Events come back into an empty log only, with their ids, so that the cursors of clients stay valid.
#[derive(Debug)]
pub struct RestoreBackup {
    documents: Vec<Document>,
    rules: Vec<Rule>,
    templates: Vec<Template>,
    webhooks: Vec<SavedWebhook>,
    instances: Vec<Instance>,
    events: Vec<Event>,
    log: SavedLog,
    tasks: Vec<SavedTask>,
    leases: Vec<Lease>,
    last_leases: Vec<SavedLastLease>,
    messages: Vec<Delivered>,
    gone_agents: Vec<GoneAgent>,
    briefed: Vec<SavedBriefed>,
    audit: Vec<ChainedEntry>,
    usage: Vec<UsageRecord>,
    sessions: Vec<AgentSession>,
    budgets: Vec<Budget>,
    task_costs: Vec<TaskCost>,
}

impl RestoreBackup {
    /// To bring back that; `now` is for what has no time of its own.
    ///
    /// # Errors
    /// When something in it could not be stored, or contradicts itself.
    pub fn new(backup: Backup, now: Timestamp) -> Result<Self, Invalid> {
        // Named one by one, so that a section which is not restored does not compile.
        let Backup {
            state,
            specs,
            rules,
            templates,
            webhooks,
            instances,
            events,
            log,
            tasks,
            leases,
            last_leases,
            messages,
            gone_agents,
            briefed,
            audit,
            usage,
            sessions,
            budgets,
            task_costs,
        } = backup;
        let mut documents = match state {
            SavedState::Versions(versions) => versions.into_iter().map(SavedVersion::into_document).collect(),
            SavedState::Values(values) => values
                .into_iter()
                .map(|(key, value)| Ok(first_version(key.into(), value.as_str(), now)))
                .collect::<Result<Vec<_>, Invalid>>(),
        }?;
        for spec in specs {
            documents.push(spec.into_document()?);
        }
        documents.sort_by(|a, b| (&a.key, a.revision.version).cmp(&(&b.key, b.revision.version)));
        if let Some(twice) = documents
            .windows(2)
            .find(|two| (&two[0].key, two[0].revision.version) == (&two[1].key, two[1].revision.version))
        {
            let (key, version) = (&twice[0].key, twice[0].revision.version);
            return Err(Invalid::new(format!("{} {key} has version {version} twice", key.what())));
        }
        let mut walk = ChainWalk::default();
        for entry in &audit {
            walk.step(entry);
        }
        if let Some(id) = walk.report().broken_at {
            return Err(Invalid::new(format!("the audit log is broken at entry {id}")));
        }
        if let Some(SavedLastLease { project, last }) =
            last_leases.iter().find(|saved| saved.last.get() >= MAX_RESTORED)
        {
            return Err(Invalid::new(format!("no lease of project {project} has the number {last}")));
        }
        if let Some(two) = messages.windows(2).find(|two| two[0].id() >= two[1].id()) {
            return Err(Invalid::new(format!("message {} comes after message {}", two[1].id(), two[0].id())));
        }
        if let Some(two) = events.windows(2).find(|two| two[0].id >= two[1].id) {
            return Err(Invalid::new(format!("event {} comes after event {}", two[1].id, two[0].id)));
        }
        let last = events.last().map_or(Cursor::START, |event| event.id.into());
        if let reached @ MAX_RESTORED.. = last.max(log.pruned_user).max(log.pruned_system).get() {
            return Err(Invalid::new(format!("no event log reaches {reached}")));
        }
        Ok(Self {
            documents,
            rules: rules.into_iter().map(|rule| rule.into_rule(now)).collect::<Result<_, _>>()?,
            templates: templates.into_iter().map(templates::checked).collect::<Result<_, _>>()?,
            webhooks,
            instances: instances.into_iter().map(Instance::checked).collect::<Result<_, _>>()?,
            events: events.into_iter().map(Event::checked).collect::<Result<_, _>>()?,
            log,
            tasks: check_saved(tasks)?,
            leases: leases.into_iter().map(SavedLease::into_lease).collect::<Result<_, _>>()?,
            last_leases,
            messages: messages.into_iter().map(SavedMessage::into_delivered).collect::<Result<_, _>>()?,
            gone_agents: gone_agents.into_iter().map(GoneAgent::from).collect(),
            briefed,
            audit: audit.into_iter().map(ChainedEntry::checked).collect::<Result<_, _>>()?,
            usage: usage.into_iter().map(UsageRecord::checked).collect::<Result<_, _>>()?,
            sessions,
            budgets: budgets.into_iter().map(Budget::checked).collect::<Result<_, _>>()?,
            task_costs,
        })
    }

    /// What the caller must be allowed to do, to be asked before a backup is even read.
    #[must_use]
    pub fn operation_of_any() -> Operation {
        Operation::to(Action::BackupRestore, "", Access::Admin("restore a backup"))
    }

    /// The chain comes back only where there is none: entries can only be appended.
    fn restore_audit(&self, cx: &mut CommandContext<'_>) -> u64 {
        if cx.ends().audit.is_some() {
            return 0;
        }
        for entry in &self.audit {
            cx.push(Change::AppendAudit(entry.clone()));
        }
        self.audit.len() as u64
    }

    /// Events come back only where there are none: their ids would be those of other events.
    fn restore_events(&self, cx: &mut CommandContext<'_>) -> u64 {
        if cx.ends().log.last > Cursor::START {
            return 0;
        }
        for event in &self.events {
            cx.push(Change::Event(EventChange::Restore(event.clone())));
        }
        let SavedLog { pruned_user: user, pruned_system: system } = self.log;
        cx.push(Change::Event(EventChange::SetPruned { user, system }));
        self.events.len() as u64
    }

    /// Tasks come back only into projects that have none: their numbers would be those of other tasks.
    fn restore_tasks(&self, cx: &mut CommandContext<'_>) -> Result<u64, Error> {
        let mut empty = BTreeSet::new();
        for project in self.tasks.iter().map(|saved| &saved.task.project) {
            if !empty.contains(project) && cx.task_counts(project)?.last == 0 {
                empty.insert(project.clone());
            }
        }
        let back: Vec<&SavedTask> =
            self.tasks.iter().filter(|saved| empty.contains(&saved.task.project)).collect();
        for SavedTask { task, notes, holds } in &back {
            let (id, to) = (task.id(), task.column());
            cx.push(Change::Task(TaskChange::Put(Arc::new(task.clone()))));
            if !task.after.is_empty() {
                cx.push(Change::Task(TaskChange::Link { id: id.clone(), after: task.after.clone() }));
            }
            for note in notes {
                cx.push(Change::Task(TaskChange::AppendNote { id: id.clone(), note: note.clone() }));
            }
            for hold in holds {
                cx.push(Change::Task(TaskChange::AppendHold { id: id.clone(), hold: hold.clone() }));
            }
            cx.push(Change::Task(TaskChange::Count(TaskMove { id, from: None, to })));
        }
        Ok(back.len() as u64)
    }

    /// Leases come back only into projects that have given no number yet: numbers are fences.
    fn restore_leases(&self, cx: &mut CommandContext<'_>) -> Result<u64, Error> {
        let mut restored = 0;
        for SavedLastLease { project, last } in &self.last_leases {
            if cx.last_lease(project)?.is_some() {
                continue;
            }
            cx.set_last_lease(project.clone(), *last);
            for lease in self.leases.iter().filter(|lease| lease.project == *project && lease.id <= *last) {
                cx.put_lease(lease.clone());
                restored += 1;
            }
        }
        Ok(restored)
    }

    /// Messages come back with their events only: the id of a message is that of its event.
    fn restore_messages(&self, cx: &mut CommandContext<'_>, events_came_back: bool) -> u64 {
        if !events_came_back {
            return 0;
        }
        let last = cx.ends().log.last;
        let mut restored = 0;
        for delivered in self.messages.iter().filter(|delivered| Cursor::from(delivered.message.id) <= last) {
            cx.append_message(delivered.clone());
            restored += 1;
        }
        for gone in &self.gone_agents {
            cx.push(Change::Message(MessageChange::PutGone(gone.clone())));
        }
        for SavedBriefed { project, name, cursor } in &self.briefed {
            let agent = Mailbox { project: project.clone(), name: name.clone() };
            cx.push(Change::Message(MessageChange::SetBriefed { agent, cursor: *cursor }));
        }
        restored
    }

    fn restore_usage(&self, cx: &mut CommandContext<'_>) -> u64 {
        if cx.ends().usage.is_some() {
            return 0;
        }
        for record in &self.usage {
            let id = UsageId::after(cx.ends().usage);
            cx.append_usage(UsageRecord { id, ..record.clone() });
        }
        // What says whose it is, and what it adds up to, comes back with it.
        for session in &self.sessions {
            cx.push(Change::PutSession(session.clone()));
        }
        for cost in &self.task_costs {
            cx.push(Change::Budget(BudgetChange::PutTaskCost(cost.clone())));
        }
        self.usage.len() as u64
    }

    /// A budget comes back only to a project that has none.
    fn restore_budgets(&self, cx: &mut CommandContext<'_>) -> Result<u64, Error> {
        let there = cx.view().budgets()?;
        let is_new = |budget: &&Budget| !there.iter().any(|one| one.project == budget.project);
        let back: Vec<&Budget> = self.budgets.iter().filter(is_new).collect();
        for budget in &back {
            cx.push(Change::Budget(BudgetChange::Put((*budget).clone())));
        }
        Ok(back.len() as u64)
    }

    fn restore_documents(&self, cx: &mut CommandContext<'_>, restored: &mut Restored) -> Result<(), Error> {
        for versions in self.documents.chunk_by(|a, b| a.key == b.key) {
            let Some(newest) = versions.last() else { continue };
            let kept = match cx.revision(&newest.key)? {
                None => {
                    for older in &versions[..versions.len() - 1] {
                        cx.append_document(older.clone());
                    }
                    keep(cx, newest.clone())?;
                    versions.len() as u64
                }
                Some(there)
                    if there.hash == newest.revision.hash && there.deleted == newest.revision.deleted =>
                {
                    0
                }
                Some(there) => {
                    let revision = Revision { version: there.version.next(), ..newest.revision.clone() };
                    keep(cx, Document { revision, ..newest.clone() })?;
                    1
                }
            };
            let (documents, all) = match newest.key {
                DocumentKey::State(_) => (&mut restored.state, &mut restored.state_versions),
                DocumentKey::Spec(_) => (&mut restored.specs, &mut restored.spec_versions),
            };
            *documents += u64::from(kept > 0);
            *all += kept;
        }
        Ok(())
    }

    fn restore_records(&self, cx: &mut CommandContext<'_>, restored: &mut Restored) -> Result<(), Error> {
        for rule in &self.rules {
            cx.put_rule(rule.clone());
            restored.rules += 1;
        }
        for project in self.rules.iter().map(|rule| &rule.project).collect::<BTreeSet<_>>() {
            bound(cx, project)?;
        }
        for template in &self.templates {
            cx.put_template(template.clone());
            restored.templates += 1;
        }
        let cursor = cx.ends().log.last;
        for saved in &self.webhooks {
            let mut webhook = saved.webhook(cursor)?;
            if let Some(there) = cx.webhook(saved.id())? {
                // The secret and the place in the log are things that only this server knows.
                webhook.secret = there.secret;
                webhook.cursor = there.cursor;
                webhook.active |= there.active;
            }
            cx.put_webhook(webhook);
            restored.webhooks += 1;
        }
        for instance in &self.instances {
            if cx.instance(instance.id)?.is_none() {
                cx.put_instance(instance.clone());
                restored.instances += 1;
            }
        }
        Ok(())
    }
}

impl Command for RestoreBackup {
    type Output = Restored;

    fn operation(&self) -> Operation {
        Self::operation_of_any()
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.budgets.insert(());
        wanted.revisions.extend(self.documents.iter().map(|document| document.key.clone()));
        wanted.webhooks.extend(self.webhooks.iter().map(|saved| saved.id().clone()));
        wanted.project_rules.extend(self.rules.iter().map(|rule| rule.project.clone()));
        wanted.last_leases.extend(self.last_leases.iter().map(|last| last.project.clone()));
        wanted.instances.extend(self.instances.iter().map(|instance| instance.id));
        wanted.task_counts.extend(self.tasks.iter().map(|saved| saved.task.project.clone()));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Restored>, Error> {
        let was_empty = cx.ends().log.last == Cursor::START;
        // Events first: everything below may append some.
        let mut restored = Restored {
            events: self.restore_events(cx),
            messages: self.restore_messages(cx, was_empty),
            leases: self.restore_leases(cx)?,
            audit: self.restore_audit(cx),
            usage: self.restore_usage(cx),
            budgets: self.restore_budgets(cx)?,
            ..Restored::default()
        };
        self.restore_documents(cx, &mut restored)?;
        self.restore_records(cx, &mut restored)?;
        restored.tasks = self.restore_tasks(cx)?;
        let projects: BTreeSet<_> = self.rules.iter().map(|rule| &rule.project).collect();
        cx.announce(SystemTopic::BackupRestored, &json!({"restored": restored, "projects": projects}))?;
        Ok(Applied::with(restored, json!(restored)))
    }
}

fn first_version(key: DocumentKey, value: &str, now: Timestamp) -> Document {
    let value = bytes::Bytes::copy_from_slice(value.as_bytes());
    let revision = Revision {
        version: Version::FIRST,
        hash: Hash::of(&value),
        content_type: ContentType::json(),
        size: value.len() as u64,
        updated_at: now,
        updated_by: Actor::default(),
        deleted: false,
    };
    Document { key, revision, value }
}
