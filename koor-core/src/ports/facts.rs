//! Facts: what commands look up before they decide.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    clock::Timestamp,
    domain::{
        audit::AuditHead,
        budgets::{Budget, Spent, TaskCost},
        events::{LogBounds, PrunePlan},
        instances::{Instance, InstanceFilter, InstanceStatus},
        leases::{HeldLease, Lease},
        messages::{Delivered, GoneAgent, Mailbox},
        rules::{Rule, RuleFilter},
        sessions::AgentSession,
        state::{Document, Revision},
        tasks::{ReadyQuery, Task, TaskCounts, TaskHold, TaskId, TaskLinks},
        templates::Template,
        usage::UsageRecord,
        webhooks::Webhook,
    },
    ids::{
        Cursor, DocumentKey, EventId, InstanceId, LeaseId, ProjectName, RuleId, RunId, SessionName,
        TaskNumber, TemplateId, UsageId, Version, WebhookId,
    },
    ports::{ReadTx, Retention, StoreResult},
};

/// How many due tasks one command brings up to date; the next goes on where it ended.
const DUE_TOGETHER: usize = 64;

/// How much usage of a session is attributed when it is announced: the rest stays as it is.
const LATE_TOGETHER: usize = 10_000;

/// A place in the one order of commits. Two facts of the same point were true at the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(pub u64);

/// The ends of everything that only grows: part of every fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// How far the event log reaches.
    pub log: LogBounds,
    /// The end of the audit chain.
    pub audit: Option<AuditHead>,
    /// The last compliance run there ever was.
    pub run: Option<RunId>,
    /// The last usage record there ever was.
    pub usage: Option<UsageId>,
}

/// The beginning of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// As many items as were wanted, or all there are.
    pub found: Vec<T>,
    /// Whether these are all.
    pub complete: bool,
}

/// Declares every lookup a command can make, once: a record has a key and is there or not; a scan has a parameter and an
/// answer; a page is the beginning of a list, of which each command of a batch may use up an item. The set of wanted facts and the facts themselves follow from it.
macro_rules! lookups {
    (
        records { $($(#[$rdoc:meta])* $record:ident: $rkey:ty => $rvalue:ty,)+ }
        scans { $($(#[$sdoc:meta])* $scan:ident: $skey:ty => $svalue:ty,)+ }
        pages { $($(#[$pdoc:meta])* $page:ident: $pkey:ty => $pitem:ty,)+ }
    ) => {
        /// The facts that are wanted: by commands as a hint, by the core after a miss.
        #[derive(Debug, Default, Clone, PartialEq, Eq)]
        pub struct FactSet {
            $($(#[$rdoc])* pub $record: HashSet<$rkey>,)+
            $($(#[$sdoc])* pub $scan: HashSet<$skey>,)+
            $($(#[$pdoc])* pub $page: HashMap<$pkey, usize>,)+
        }

        impl FactSet {
            /// Whether nothing is wanted beyond [`Ends`].
            #[must_use]
            pub fn is_empty(&self) -> bool {
                $(self.$record.is_empty() &&)+ $(self.$scan.is_empty() &&)+
                    $(self.$page.is_empty() &&)+ true
            }

            /// Whether nothing is wanted but pages: how much of one a command needs depends on those before it in its batch.
            pub(super) fn has_only_pages(&self) -> bool {
                $(self.$record.is_empty() &&)+ $(self.$scan.is_empty() &&)+ true
            }

            /// Adds what the other set wants.
            pub fn add(&mut self, other: &Self) {
                $(self.$record.extend(other.$record.iter().cloned());)+
                $(self.$scan.extend(other.$scan.iter().cloned());)+
                $(for (key, items) in &other.$page {
                    *self.$page.entry(key.clone()).or_default() += items;
                })+
            }
        }

        /// Records by key; `None` where there is none.
        #[derive(Debug, Default, Clone)]
        pub struct Records {
            $($(#[$rdoc])* pub $record: HashMap<$rkey, Option<$rvalue>>,)+
        }

        impl Records {
            /// Takes over what the other has, which is newer. The other is left empty, with its memory.
            pub(super) fn absorb(&mut self, newer: &mut Self) {
                // Most are empty, and this is done for each job.
                $(if !newer.$record.is_empty() {
                    self.$record.extend(newer.$record.drain());
                })+
            }

            pub(super) fn clear(&mut self) {
                $(self.$record.clear();)+
            }
        }

        /// Answers to scans by parameter.
        #[derive(Debug, Default, Clone)]
        pub struct Scans {
            $($(#[$sdoc])* pub $scan: HashMap<$skey, $svalue>,)+
        }

        impl Scans {
            pub(super) fn absorb(&mut self, mut newer: Self) {
                $(self.$scan.extend(newer.$scan.drain());)+
            }
        }

        /// The beginnings of lists by parameter.
        #[derive(Debug, Default, Clone)]
        pub struct Pages {
            $($(#[$pdoc])* pub $page: HashMap<$pkey, Page<$pitem>>,)+
        }

        impl Pages {
            pub(super) fn absorb(&mut self, mut newer: Self) {
                $(self.$page.extend(newer.$page.drain());)+
            }
        }
    };
}

lookups! {
    records {
        /// The newest revision of a document, tombstone included.
        revisions: DocumentKey => Revision,
        /// A certain version of a document.
        versions: (DocumentKey, Version) => Document,
        /// An instance.
        instances: InstanceId => Instance,
        /// A rule.
        rules: (ProjectName, RuleId) => Rule,
        /// A webhook.
        webhooks: WebhookId => Webhook,
        /// A template.
        templates: TemplateId => Template,
        /// A task.
        tasks: TaskId => Arc<Task>,
        /// The task that was made under a key.
        task_keys: (ProjectName, String) => Arc<Task>,
        /// How many tasks a project has.
        task_counts: ProjectName => TaskCounts,
        /// A lease.
        leases: (ProjectName, LeaseId) => Lease,
        /// The last number of a lease in a project.
        last_leases: ProjectName => LeaseId,
        /// How many leases an instance holds.
        lease_counts: InstanceId => u64,
        /// A message with its receipts.
        messages: EventId => Delivered,
        /// How far in the event log an agent has been briefed.
        briefed: Mailbox => Cursor,
        /// A session. With it come its instance, and the tasks that this holds.
        sessions: SessionName => AgentSession,
        /// The usage record of a request.
        usage_requests: String => UsageId,
        /// What was spent for a task.
        task_costs: TaskId => TaskCost,
    }
    scans {
        /// All active instances.
        active_instances: () => Vec<Instance>,
        /// All rules of a project, by id.
        project_rules: ProjectName => Vec<Rule>,
        /// All instances.
        all_instances: () => Vec<Instance>,
        /// The agents of a project whose instances are gone.
        gone_agents: ProjectName => Vec<GoneAgent>,
        /// The leases that can overlap paths with that literal beginning.
        leases_near: (ProjectName, String) => Vec<HeldLease>,
        /// The leases of an instance.
        leases_of_instance: InstanceId => Vec<Lease>,
        /// The leases that are bound to a task.
        leases_of_task: (ProjectName, TaskNumber) => Vec<Lease>,
        /// Which events retention no longer covers.
        prunable: Retention => Option<PrunePlan>,
        /// The tasks that come directly after a task.
        dependents: TaskId => Vec<Arc<Task>>,
        /// The parts of a task.
        children: TaskId => Vec<Arc<Task>>,
        /// The tasks that an instance holds.
        held_tasks: InstanceId => Vec<Arc<Task>>,
        /// The tasks of a project that wait for a time which has come by then, or the earliest of them.
        due_tasks: (ProjectName, Timestamp) => Vec<Arc<Task>>,
        /// The claims of an instance that ended after a moment.
        holds_after: (InstanceId, Timestamp) => Vec<(TaskId, TaskHold)>,
        /// All budgets.
        budgets: () => Vec<Budget>,
        /// What a project has spent since a moment.
        spent_since: (ProjectName, Timestamp) => Spent,
        /// The usage records of a session that are not attributed, received since a moment.
        unattributed: (SessionName, Timestamp) => Vec<UsageRecord>,
        /// The links of a task and of all it waits for.
        task_links: TaskId => Vec<TaskLinks>,
    }
    pages {
        /// The tasks that can be claimed, the most urgent first, by how many of them are wanted.
        ready_tasks: ReadyQuery => Arc<Task>,
    }
}

/// What a backend found, all of it true at one point of the order.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// When this was true.
    pub point: Point,
    /// The ends of everything that only grows.
    pub ends: Ends,
    /// The records that were wanted.
    pub records: Records,
    /// The answers to the scans that were wanted.
    pub scans: Scans,
    /// The pages that were wanted.
    pub pages: Pages,
}

impl FactSet {
    /// Whether nothing is wanted but what only other facts lead to, and so no hint can name: pages, which claims have ended of an
    /// instance that a session leads to, and what was spent for a task that these lead to.
    pub(super) fn has_only_what_facts_lead_to(&self) -> bool {
        let mut rest = self.clone();
        rest.holds_after.clear();
        rest.task_costs.clear();
        rest.has_only_pages()
    }

    /// Looks everything up, one question for each fact; [`Facts::point`] and [`Facts::ends`] are left to the caller. The
    /// newest revision of a document, which almost every command asks for, is looked up by `newest`: a store may know it
    /// without asking its tables.
    ///
    /// # Errors
    /// When the store can't be read.
    #[expect(
        clippy::too_many_lines,
        reason = "one question for each fact, side by side, so that none is forgotten"
    )]
    pub fn look_up<T: ReadTx>(
        &self,
        tx: &mut T,
        mut newest: impl FnMut(&mut T, &DocumentKey) -> StoreResult<Option<Revision>>,
    ) -> StoreResult<Facts> {
        // Named one by one, so that a fact which is not looked up does not compile.
        let Self {
            revisions,
            versions,
            instances,
            rules,
            webhooks,
            templates,
            leases,
            last_leases,
            lease_counts,
            messages,
            briefed,
            active_instances,
            project_rules,
            all_instances,
            gone_agents,
            leases_near,
            leases_of_instance,
            leases_of_task,
            prunable,
            tasks,
            task_keys,
            task_counts,
            dependents,
            children,
            held_tasks,
            due_tasks,
            task_links,
            ready_tasks,
            sessions,
            usage_requests,
            task_costs,
            holds_after,
            budgets,
            spent_since,
            unattributed,
        } = self;
        let mut facts = Facts::default();
        let (records, scans) = (&mut facts.records, &mut facts.scans);
        for key in revisions {
            records.revisions.insert(key.clone(), newest(tx, key)?);
        }
        for (key, version) in versions {
            records.versions.insert((key.clone(), *version), tx.document_at(key, *version)?);
        }
        for id in instances {
            records.instances.insert(*id, tx.instance(*id)?);
        }
        for (project, id) in rules {
            records.rules.insert((project.clone(), id.clone()), tx.rule(project, id)?);
        }
        for id in webhooks {
            records.webhooks.insert(id.clone(), tx.webhook(id)?);
        }
        for id in templates {
            records.templates.insert(id.clone(), tx.template(id)?);
        }
        for (project, id) in leases {
            records.leases.insert((project.clone(), *id), tx.lease(project, *id)?.map(|held| held.lease));
        }
        for project in last_leases {
            records.last_leases.insert(project.clone(), tx.last_lease(project)?);
        }
        for id in lease_counts {
            records.lease_counts.insert(*id, Some(tx.lease_count(Some(*id))?));
        }
        for (project, beginning) in leases_near {
            let near = tx.leases_near(project, beginning)?;
            scans.leases_near.insert((project.clone(), beginning.clone()), near);
        }
        for id in leases_of_instance {
            scans.leases_of_instance.insert(*id, bare(tx.leases_of_instance(*id)?));
        }
        for (project, task) in leases_of_task {
            let bound = bare(tx.leases_of_task(project, *task)?);
            scans.leases_of_task.insert((project.clone(), *task), bound);
        }
        for id in messages {
            records.messages.insert(*id, tx.message(*id)?);
        }
        for agent in briefed {
            records.briefed.insert(agent.clone(), tx.briefed(agent)?);
        }
        for () in all_instances {
            scans.all_instances.insert((), tx.instances(&InstanceFilter::default())?);
        }
        for project in gone_agents {
            scans.gone_agents.insert(project.clone(), tx.gone_agents(project)?);
        }
        for () in active_instances {
            let active = InstanceFilter { status: Some(InstanceStatus::Active), ..InstanceFilter::default() };
            scans.active_instances.insert((), tx.instances(&active)?);
        }
        for project in project_rules {
            let of_project = RuleFilter { projects: vec![project.clone()], ..RuleFilter::default() };
            scans.project_rules.insert(project.clone(), tx.rules(&of_project)?);
        }
        for retention in prunable {
            scans.prunable.insert(*retention, tx.prunable(*retention)?);
        }
        for id in tasks {
            records.tasks.insert(id.clone(), tx.task(id)?);
            // They end with its claim, and whatever changes a task may end that.
            let bound = bare(tx.leases_of_task(&id.project, id.number)?);
            scans.leases_of_task.insert((id.project.clone(), id.number), bound);
        }
        for wanted in task_keys {
            records.task_keys.insert(wanted.clone(), tx.task_by_key(&wanted.0, &wanted.1)?);
        }
        for project in task_counts {
            records.task_counts.insert(project.clone(), tx.task_counts(project)?);
        }
        for id in dependents {
            scans.dependents.insert(id.clone(), tx.dependents(id)?);
        }
        for id in children {
            scans.children.insert(id.clone(), tx.children(id)?);
        }
        for holder in held_tasks {
            look_up_held(tx, *holder, scans)?;
        }
        for wanted in due_tasks {
            let due = tx.due_tasks(Some(&wanted.0), wanted.1, DUE_TOGETHER)?;
            scans.due_tasks.insert(wanted.clone(), due);
        }
        for id in task_links {
            scans.task_links.insert(id.clone(), tx.task_links(id)?);
        }
        for name in sessions {
            let session = tx.session(name)?;
            if let Some(holder) = session.as_ref().map(|session| session.instance_id) {
                records.instances.insert(holder, tx.instance(holder)?);
                look_up_held(tx, holder, scans)?;
            }
            records.sessions.insert(name.clone(), session);
        }
        if !usage_requests.is_empty() {
            let wanted: Vec<&str> = usage_requests.iter().map(String::as_str).collect();
            let mut found: HashMap<String, UsageId> = tx.usage_of_requests(&wanted)?.into_iter().collect();
            let answers = usage_requests.iter().map(|request| (request.clone(), found.remove(request)));
            records.usage_requests.extend(answers);
        }
        for task in task_costs {
            records.task_costs.insert(task.clone(), tx.task_cost(task)?);
        }
        for (holder, after) in holds_after {
            scans.holds_after.insert((*holder, *after), tx.holds_after(*holder, *after)?);
        }
        for () in budgets {
            scans.budgets.insert((), tx.budgets()?);
        }
        for (project, since) in spent_since {
            let spent = tx.spent_since(project, *since)?;
            scans.spent_since.insert((project.clone(), *since), spent);
        }
        for (session, since) in unattributed {
            let records = tx.unattributed_usage(session, *since, LATE_TOGETHER)?;
            scans.unattributed.insert((session.clone(), *since), records);
        }
        for (query, items) in ready_tasks {
            let found = tx.ready_tasks(query, *items)?;
            let complete = found.len() < *items;
            facts.pages.ready_tasks.insert(query.clone(), Page { found, complete });
        }
        Ok(facts)
    }
}

/// Leases without what is known of their holders.
fn bare(held: Vec<HeldLease>) -> Vec<Lease> {
    held.into_iter().map(|held| held.lease).collect()
}

/// Looks up what an instance holds: tasks, and the leases that end with these.
fn look_up_held<T: ReadTx>(tx: &mut T, holder: InstanceId, scans: &mut Scans) -> StoreResult<()> {
    let held = tx.held_tasks(holder)?;
    for task in &held {
        let bound = bare(tx.leases_of_task(&task.project, task.number)?);
        scans.leases_of_task.insert((task.project.clone(), task.number), bound);
    }
    scans.held_tasks.insert(holder, held);
    Ok(())
}
