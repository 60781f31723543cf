//! Facts: what commands look up before they decide.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        audit::AuditHead,
        events::{LogBounds, PrunePlan},
        instances::{Instance, InstanceFilter, InstanceStatus},
        rules::{Rule, RuleFilter},
        state::{Document, Revision},
        templates::Template,
        webhooks::Webhook,
    },
    ids::{DocumentKey, InstanceId, ProjectName, RuleId, RunId, TemplateId, UsageId, Version, WebhookId},
    ports::{ReadTx, Retention, StoreResult},
};

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

/// Declares every lookup a command can make, once: a record has a key and is there or not; a scan has a parameter and an
/// answer. The set of wanted facts and the facts themselves follow from it.
macro_rules! lookups {
    (
        records { $($(#[$rdoc:meta])* $record:ident: $rkey:ty => $rvalue:ty,)+ }
        scans { $($(#[$sdoc:meta])* $scan:ident: $skey:ty => $svalue:ty,)+ }
    ) => {
        /// The facts that are wanted: by commands as a hint, by the core after a miss.
        #[derive(Debug, Default, Clone, PartialEq, Eq)]
        pub struct FactSet {
            $($(#[$rdoc])* pub $record: HashSet<$rkey>,)+
            $($(#[$sdoc])* pub $scan: HashSet<$skey>,)+
        }

        impl FactSet {
            /// Whether nothing is wanted beyond [`Ends`].
            #[must_use]
            pub fn is_empty(&self) -> bool {
                $(self.$record.is_empty() &&)+ $(self.$scan.is_empty() &&)+ true
            }

            /// Adds what the other set wants.
            pub fn add(&mut self, other: &Self) {
                $(self.$record.extend(other.$record.iter().cloned());)+
                $(self.$scan.extend(other.$scan.iter().cloned());)+
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
                $(self.$record.extend(newer.$record.drain());)+
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
    }
    scans {
        /// All active instances.
        active_instances: () => Vec<Instance>,
        /// All rules of a project, by id.
        project_rules: ProjectName => Vec<Rule>,
        /// Which events retention no longer covers.
        prunable: Retention => Option<PrunePlan>,
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
}

impl FactSet {
    /// Looks everything up, one question for each fact; [`Facts::point`] and [`Facts::ends`] are left to the caller. The
    /// newest revision of a document, which almost every command asks for, is looked up by `newest`: a store may know it
    /// without asking its tables.
    ///
    /// # Errors
    /// When the store can't be read.
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
            active_instances,
            project_rules,
            prunable,
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
        Ok(facts)
    }
}
