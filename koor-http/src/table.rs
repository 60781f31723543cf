//! The table of routes: the one place that says what this server answers.
//!
//! The router, `Allow`, the `OpenAPI` document, the list of endpoints and the tests all read it.

use std::pin::Pin;

use hyper::Method;

use crate::{error::Failure, request::Call, response::Answer, routes};

/// What answers a request.
pub(crate) type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// The methods that routes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Post,
    Patch,
    Delete,
}

/// Who may call a route. Only a note: the core decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone, without a token.
    Open,
    /// Every caller with a token, where tokens are asked for.
    Anyone,
    /// Admins, and the instance that it is about.
    Own,
    /// Only admins.
    Admin,
}

/// A parameter of a query or a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) summary: &'static str,
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A text without control characters.
    Line,
    Name,
    Key,
    Limit,
    /// A whole number from zero.
    Whole,
    /// A whole number from one.
    Version,
    /// A version that must be given.
    NeededVersion,
    TwoVersions,
    Time,
    Span,
    Flag,
    Pattern,
    Patterns,
    Sources,
    OneOf(&'static [&'static str]),
    /// A header with tags.
    Tags,
}

/// What a route reads of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    Nothing,
    /// JSON of that schema.
    Json(&'static str),
    /// Any bytes.
    Bytes,
}

/// What a route answers when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// JSON of that schema.
    Json(&'static str),
    /// The bytes of a document, or JSON about it.
    Document,
    /// Plain text.
    Text,
    /// Server-Sent Events.
    Stream,
    /// A WebSocket.
    Socket,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "facts about a route that do not depend on each other")]
pub(crate) struct Route {
    verb: Verb,
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
    pub(crate) access: Access,
    /// Whether its calls count as calls of an agent.
    pub(crate) counted: bool,
    /// Whether a token may stand in the query, for clients that cannot set headers.
    pub(crate) token_in_query: bool,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) params: &'static [Param],
    pub(crate) intake: Intake,
    pub(crate) reply: Reply,
    /// Statuses beyond those that every route of its kind can answer with.
    pub(crate) also: &'static [u16],
    /// Whether the answer carries the place of the change in the event log.
    pub(crate) writes: bool,
    /// Whether it makes something new, and answers 201.
    pub(crate) creates: bool,
}

impl Route {
    const fn new(
        verb: Verb,
        path: &'static str,
        id: &'static str,
        handler: Handler,
        summary: &'static str,
    ) -> Self {
        Self {
            verb,
            path,
            handler,
            access: Access::Anyone,
            counted: true,
            token_in_query: false,
            id,
            summary,
            params: &[],
            intake: Intake::Nothing,
            reply: Reply::Json("Anything"),
            also: &[],
            writes: false,
            creates: false,
        }
    }

    pub(crate) fn method(&self) -> &'static Method {
        match self.verb {
            Verb::Get => &Method::GET,
            Verb::Put => &Method::PUT,
            Verb::Post => &Method::POST,
            Verb::Patch => &Method::PATCH,
            Verb::Delete => &Method::DELETE,
        }
    }

    const fn open(self) -> Self {
        Self { access: Access::Open, ..self }
    }

    const fn own(self) -> Self {
        Self { access: Access::Own, ..self }
    }

    const fn admin(self) -> Self {
        Self { access: Access::Admin, ..self }
    }

    const fn uncounted(self) -> Self {
        Self { counted: false, ..self }
    }

    const fn token_in_query(self) -> Self {
        Self { token_in_query: true, ..self }
    }

    const fn params(self, params: &'static [Param]) -> Self {
        Self { params, ..self }
    }

    const fn json(self, schema: &'static str) -> Self {
        Self { intake: Intake::Json(schema), ..self }
    }

    const fn bytes(self) -> Self {
        Self { intake: Intake::Bytes, ..self }
    }

    const fn gives(self, schema: &'static str) -> Self {
        Self { reply: Reply::Json(schema), ..self }
    }

    const fn replies(self, reply: Reply) -> Self {
        Self { reply, ..self }
    }

    const fn also(self, also: &'static [u16]) -> Self {
        Self { also, ..self }
    }

    const fn writes(self) -> Self {
        Self { writes: true, ..self }
    }

    const fn creates(self) -> Self {
        Self { writes: true, creates: true, ..self }
    }
}

const fn p(name: &'static str, kind: Kind, summary: &'static str) -> Param {
    Param { name, kind, summary }
}

const LIMIT: Param = p("limit", Kind::Limit, "How many at most.");
const FROM: Param = p("from", Kind::Time, "From this moment on.");
const TO: Param = p("to", Kind::Time, "Up to this moment.");
const PATTERNS: Param = p("pattern", Kind::Patterns, "Globs over topics; any of them.");
const SINCE: Param = p("since", Kind::Whole, "After this cursor; without it, from now.");
const ACCESS_TOKEN: Param = p("access_token", Kind::Text, "The token, where headers can't be set.");
const IF_VERSION: Param = p("if_version", Kind::Whole, "Only if it is at this version; 0: only if absent.");
const IF_MATCH: Param =
    p("If-Match", Kind::Tags, "Only if it has one of these hashes; *: only if it exists.");
const IF_NONE_MATCH: Param =
    p("If-None-Match", Kind::Tags, "Only if it has none of these hashes; *: only if absent.");
const KNOWN: Param = p("If-None-Match", Kind::Tags, "Answer 304 if it still has one of these hashes.");

const CONDITIONS: &[Param] = &[IF_VERSION, IF_MATCH, IF_NONE_MATCH];
const ROLLBACK: &[Param] =
    &[p("rollback", Kind::NeededVersion, "The version to go back to."), IF_VERSION, IF_MATCH, IF_NONE_MATCH];
const READ: &[Param] = &[
    p("history", Kind::Flag, "List the versions instead."),
    LIMIT,
    p("version", Kind::Version, "This version; with wait: a version greater than this."),
    p("diff", Kind::TwoVersions, "What differs between these two versions."),
    p("format", Kind::OneOf(&["json-patch"]), "The diff as an RFC 6902 patch."),
    p("wait", Kind::Span, "Wait for a change, at most so long."),
    KNOWN,
];
const STACK: Param = p("stack", Kind::Text, "For this stack, or every one.");
const PERIOD: Param = p("period", Kind::Text, "Of periods that begin so, as 2026-02-16.");

macro_rules! to {
    ($room:ident::$handler:ident) => {
        |call| Box::pin(routes::$room::$handler(call))
    };
}

use Verb::{Delete, Get, Patch, Post, Put};

/// Every route. What is asked for most stands at the top.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    Route::new(Get, "/api/state/{key*}", "getState", to!(state::get), "Read a state value, its history, a diff, or wait for a change")
        .params(READ).replies(Reply::Document).also(&[304, 404]),
    Route::new(Put, "/api/state/{key*}", "putState", to!(state::put), "Store a state value")
        .params(CONDITIONS).bytes().gives("Put").also(&[412]).writes(),
    Route::new(Post, "/api/state/{key*}", "rollbackState", to!(state::rollback), "Make an older version of a state value the newest")
        .params(ROLLBACK).gives("RolledBack").also(&[404, 412]).writes(),
    Route::new(Delete, "/api/state/{key*}", "deleteState", to!(state::delete), "Delete a state value; its history stays")
        .params(CONDITIONS).gives("DeletedVersion").also(&[404, 412]).writes(),
    Route::new(Get, "/api/state", "listState", to!(state::list), "List state values, by key")
        .params(&[p("prefix", Kind::Text, "Keys that begin so."), LIMIT, p("after", Kind::Key, "Keys after this one.")]).gives("StateList"),

    Route::new(Get, "/api/specs", "listProjects", to!(specs::projects), "List the projects").gives("Projects"),
    Route::new(Get, "/api/specs/{project}", "listSpecs", to!(specs::list), "List a project's specs, by name").gives("SpecList"),
    Route::new(Get, "/api/specs/{project}/{name}", "getSpec", to!(specs::get), "Read a spec, its history, a diff, or wait for a change")
        .params(READ).replies(Reply::Document).also(&[304, 404]),
    Route::new(Put, "/api/specs/{project}/{name}", "putSpec", to!(specs::put), "Store a spec")
        .params(CONDITIONS).json("Anything").gives("SpecPut").also(&[412, 422]).writes(),
    Route::new(Post, "/api/specs/{project}/{name}", "rollbackSpec", to!(specs::rollback), "Make an older version of a spec the newest")
        .params(ROLLBACK).gives("SpecRolledBack").also(&[404, 412]).writes(),
    Route::new(Delete, "/api/specs/{project}/{name}", "deleteSpec", to!(specs::delete), "Delete a spec; its history stays")
        .params(CONDITIONS).gives("DeletedVersion").also(&[404, 412]).writes(),

    Route::new(Post, "/api/events/publish", "publishEvent", to!(events::publish), "Publish an event")
        .json("PublishBody").gives("Event").writes(),
    Route::new(Get, "/api/events/history", "eventHistory", to!(events::history), "Read the event log")
        .params(&[p("last", Kind::Limit, "How many at most, after filtering."), p("topic", Kind::Pattern, "A glob over topics."), FROM, TO,
            p("source", Kind::Text, "From this source."), p("after", Kind::Whole, "After this id, oldest first.")]).gives("Events"),
    Route::new(Get, "/api/events/wait", "waitForEvents", to!(events::wait), "Wait for events after a cursor")
        .params(&[SINCE, PATTERNS, p("timeout", Kind::Span, "At most so long; 30s unless told."),
            p("limit", Kind::Limit, "How many at most; 100 unless told.")]).gives("Waited").also(&[410]),
    Route::new(Get, "/api/events/subscribe", "subscribe", to!(events::subscribe), "Follow the event log by WebSocket")
        .params(&[PATTERNS, SINCE, ACCESS_TOKEN]).replies(Reply::Socket).also(&[426]).token_in_query(),
    Route::new(Get, "/api/events/stream", "streamEvents", to!(events::stream), "Follow the event log by Server-Sent Events")
        .params(&[PATTERNS, SINCE, ACCESS_TOKEN]).replies(Reply::Stream).token_in_query(),

    Route::new(Get, "/api/instances", "listInstances", to!(instances::list), "List instances, last seen first")
        .params(&[p("name", Kind::Text, "With this name."), p("workspace", Kind::Text, "In this workspace."), p("stack", Kind::Text, "With this stack."),
            p("capability", Kind::Text, "With this capability."), p("status", Kind::OneOf(&["pending", "active", "stale"]), "With this status.")]).gives("Instances"),
    Route::new(Get, "/api/instances/stale", "staleInstances", to!(instances::stale), "List the instances that have fallen silent").gives("Instances"),
    Route::new(Get, "/api/instances/{id}", "getInstance", to!(instances::get), "Read an instance").gives("Instance").also(&[404]),
    Route::new(Post, "/api/instances/register", "registerInstance", to!(instances::register), "Register an instance; the only time its token is shown")
        .admin().json("RegisterBody").gives("Registered").writes(),
    Route::new(Post, "/api/instances/{id}/activate", "activateInstance", to!(instances::activate), "Make an instance active")
        .own().gives("InstanceState").also(&[404]).writes(),
    Route::new(Post, "/api/instances/{id}/heartbeat", "heartbeat", to!(instances::heartbeat), "Say that an instance is alive")
        .own().gives("InstanceState").also(&[404]),
    Route::new(Post, "/api/instances/{id}/capabilities", "setCapabilities", to!(instances::capabilities), "Replace an instance's capabilities")
        .own().json("CapabilitiesBody").gives("Capabilities").also(&[404]).writes(),
    Route::new(Post, "/api/instances/{id}/intent", "setIntent", to!(instances::intent), "Say what an instance is doing")
        .own().json("IntentBody").gives("IntentSet").also(&[404]).writes(),
    Route::new(Post, "/api/instances/{id}/token", "renewToken", to!(instances::token), "Draw a new token for an instance")
        .own().gives("NewToken").also(&[404]).writes(),
    Route::new(Delete, "/api/instances/{id}", "deregisterInstance", to!(instances::delete), "Deregister an instance")
        .own().gives("Deleted").also(&[404]).writes(),
    Route::new(Post, "/api/liveness/check", "checkLiveness", to!(instances::check_liveness), "Look for silent instances now")
        .admin().gives("LivenessCheck").writes(),

    Route::new(Get, "/api/tasks", "taskProjects", to!(tasks::projects), "Count the tasks of each project").gives("TaskProjects"),
    Route::new(Get, "/api/tasks/{project}", "listTasks", to!(tasks::list), "List a project's tasks")
        .params(&[p("status", Kind::OneOf(&["open", "claimed", "review", "done", "failed", "cancelled"]), "With this status; may be repeated."),
            p("ready", Kind::Flag, "Only tasks that can be claimed now."), p("label", Kind::Text, "With this label."),
            p("assignee", Kind::Line, "Assigned to this agent."), p("claimed_by", Kind::Line, "Claimed by this agent."),
            p("parent", Kind::Version, "Part of this task."), LIMIT, p("after_number", Kind::Whole, "With a number after this one."),
            p("order", Kind::OneOf(&["number", "priority"]), "By number, or the most urgent first.")]).gives("Tasks"),
    Route::new(Post, "/api/tasks/{project}", "createTasks", to!(tasks::create), "Make a task, or an array of tasks, all or none")
        .json("TasksBody").gives("TaskOrTasks").also(&[201, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/claim", "claimTask", to!(tasks::claim), "Claim the next task, or the one of that number")
        .params(&[p("wait", Kind::Span, "Wait for one, at most so long.")]).json("ClaimBody").gives("Claimed").also(&[404, 409]),
    Route::new(Get, "/api/tasks/{project}/{number}", "getTask", to!(tasks::get), "Read a task, or wait for a change")
        .params(&[p("wait", Kind::Span, "Wait for a new version, at most so long."), p("version", Kind::Whole, "With wait: a version greater than this."), KNOWN])
        .gives("Task").also(&[304, 404]),
    Route::new(Patch, "/api/tasks/{project}/{number}", "editTask", to!(tasks::edit), "Change a task")
        .params(&[p("if_version", Kind::Whole, "Only if it is at this version."), p("If-Match", Kind::Tags, "Only if it has this tag.")])
        .json("TaskEditBody").gives("Task").also(&[404, 409, 412]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/renew", "renewTask", to!(tasks::renew), "Renew a claim")
        .json("RenewBody").gives("Claim").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/release", "releaseTask", to!(tasks::release), "Give a task back")
        .json("ReleaseBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/done", "finishTask", to!(tasks::done), "Finish a task")
        .json("DoneBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/fail", "failTask", to!(tasks::fail), "Say that a task could not be done")
        .json("FailBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/approve", "approveTask", to!(tasks::approve), "Approve a task that is in review")
        .json("TaskRemarkBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/reject", "rejectTask", to!(tasks::reject), "Send a task back to the agent who did it")
        .json("TaskRejectBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/cancel", "cancelTask", to!(tasks::cancel), "Cancel a task")
        .json("TaskCancelBody").gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/reopen", "reopenTask", to!(tasks::reopen), "Open a finished task again")
        .gives("Task").also(&[404, 409]).writes(),
    Route::new(Post, "/api/tasks/{project}/{number}/notes", "addTaskNote", to!(tasks::note), "Note something on a task")
        .json("TaskNoteBody").gives("TaskNote").also(&[404]).creates(),
    Route::new(Get, "/api/tasks/{project}/{number}/notes", "taskNotes", to!(tasks::notes), "List the notes on a task")
        .gives("TaskNotes").also(&[404]),
    Route::new(Post, "/api/leases/{project}", "takeLease", to!(leases::take), "Lease paths: all of them, or none")
        .params(&[p("wait", Kind::Span, "Wait until they are free, at most so long: first come, first served.")])
        .json("LeaseBody").gives("Lease").also(&[403, 409]).creates(),
    Route::new(Get, "/api/leases/{project}", "listLeases", to!(leases::list), "List a project's leases, by number")
        .params(&[p("path", Kind::Text, "Those that cover this path."), p("name", Kind::Line, "Those of the agents with this name.")]).gives("Leases"),
    Route::new(Post, "/api/leases/{project}/check", "checkPaths", to!(leases::check), "Check which paths are free; takes nothing")
        .json("PathsBody").gives("PathCheck").also(&[403]),
    Route::new(Post, "/api/leases/{project}/{id}/renew", "renewLease", to!(leases::renew), "Renew a lease of the calling agent")
        .json("LeaseRenewBody").gives("Lease").also(&[403, 404]).writes(),
    Route::new(Delete, "/api/leases/{project}/{id}", "releaseLease", to!(leases::release), "Give a lease back; an admin may end another agent's")
        .gives("Released").also(&[403, 404]).writes(),

    Route::new(Get, "/api/brief", "brief", to!(briefs::get), "What the calling agent has to know now; with Accept: text/plain, in at most 300 tokens")
        .params(&[p("since", Kind::Whole, "With the changes after this cursor; without it, since the last brief."),
            p("peek", Kind::Flag, "Move nothing: not the cursor, and no message counts as shown."),
            p("wait", Kind::Span, "Wait until there is something new, at most so long.")]).gives("Brief"),

    Route::new(Post, "/api/messages", "sendMessage", to!(messages::send), "Send a message to agents and groups of agents")
        .json("MessageBody").gives("Sent").also(&[404]).creates(),
    Route::new(Get, "/api/messages", "listMessages", to!(messages::list), "List the messages of the calling agent, by id")
        .params(&[p("box", Kind::OneOf(&["inbox", "sent"]), "Those that came, or those that it sent; inbox unless told."),
            p("unread", Kind::Flag, "Only those that have not been read."), p("thread", Kind::Line, "Of this thread."),
            p("after", Kind::Whole, "After this id."), LIMIT, p("wait", Kind::Span, "Wait until there are some, at most so long."),
            p("agent", Kind::Line, "Of this agent, as project/name; for admins.")]).gives("Messages").also(&[403]),
    Route::new(Post, "/api/messages/read", "readMessages", to!(messages::read_many), "Say that the calling agent has read these messages")
        .json("IdsBody").gives("Receipts").also(&[404]).writes(),
    Route::new(Get, "/api/messages/{id}", "getMessage", to!(messages::get), "Read a message and its receipts; does not mark it as read")
        .gives("MessageReceipts").also(&[403, 404]),
    Route::new(Post, "/api/messages/{id}/read", "readMessage", to!(messages::read), "Say that the calling agent has read a message")
        .gives("Receipt").also(&[404]).writes(),
    Route::new(Post, "/api/messages/{id}/ack", "ackMessage", to!(messages::ack), "Acknowledge a message")
        .gives("Receipt").also(&[404]).writes(),

    Route::new(Get, "/api/validate/{project}/rules", "projectRules", to!(rules::of_project), "List a project's rules")
        .params(&[STACK]).gives("ProjectRules"),
    Route::new(Put, "/api/validate/{project}/rules", "putRules", to!(rules::put), "Replace a project's accepted rules")
        .admin().json("PutRulesBody").gives("RulesPut").writes(),
    Route::new(Post, "/api/validate/{project}", "validateFile", to!(rules::validate), "Hold a file against a project's rules")
        .json("FileBody").gives("Validation"),
    Route::new(Get, "/api/rules", "listRules", to!(rules::list), "List rules of all projects")
        .params(&[p("project", Kind::Name, "Of this project."), STACK, p("source", Kind::Sources, "From these sources."),
            p("status", Kind::OneOf(&["proposed", "accepted", "rejected"]), "With this status.")]).gives("Rules"),
    Route::new(Get, "/api/rules/export", "exportRules", to!(rules::export), "Export accepted rules")
        .params(&[p("source", Kind::Text, "From these sources; local,learned unless told. One that does not exist matches nothing.")]).gives("Rules"),
    Route::new(Post, "/api/rules/import", "importRules", to!(rules::import), "Import rules")
        .admin().json("ImportRulesBody").gives("Imported").writes(),
    Route::new(Post, "/api/rules/propose", "proposeRule", to!(rules::propose), "Propose a rule")
        .json("ProposalBody").gives("RuleState").also(&[409]).writes(),
    Route::new(Post, "/api/rules/{project}/{rule_id}/accept", "acceptRule", to!(rules::accept), "Accept a proposed rule")
        .admin().gives("RuleState").also(&[404]).writes(),
    Route::new(Post, "/api/rules/{project}/{rule_id}/reject", "rejectRule", to!(rules::reject), "Reject a proposed rule")
        .admin().gives("RuleState").also(&[404]).writes(),
    Route::new(Delete, "/api/rules/{project}/{rule_id}", "deleteRule", to!(rules::delete), "Delete a rule")
        .admin().gives("Deleted").also(&[404]).writes(),

    Route::new(Get, "/api/contracts/{project}", "listContracts", to!(contracts::list), "List a project's contracts").gives("Contracts"),
    Route::new(Put, "/api/contracts/{project}/{name}", "putContract", to!(contracts::put), "Store a well-formed contract")
        .params(CONDITIONS).json("Anything").gives("SpecPut").also(&[412, 422]).writes(),
    Route::new(Post, "/api/contracts/{project}/{name}/validate", "validatePayload", to!(contracts::validate), "Hold a payload against a contract")
        .json("PayloadBody").gives("Checked").also(&[404]),
    Route::new(Post, "/api/contracts/{project}/{name}/test", "testContract", to!(contracts::test), "Hold a live service against a contract")
        .json("ContractTestBody").gives("ContractTest").also(&[404]),

    Route::new(Get, "/api/webhooks", "listWebhooks", to!(webhooks::list), "List webhooks").admin().gives("Webhooks").also(&[403]),
    Route::new(Post, "/api/webhooks", "createWebhook", to!(webhooks::create), "Make a webhook")
        .admin().json("WebhookBody").gives("Webhook").also(&[409]).writes(),
    Route::new(Get, "/api/webhooks/{id}", "getWebhook", to!(webhooks::get), "Read a webhook").admin().gives("Webhook").also(&[404]),
    Route::new(Delete, "/api/webhooks/{id}", "deleteWebhook", to!(webhooks::delete), "Delete a webhook").admin().gives("Deleted").also(&[404]).writes(),
    Route::new(Post, "/api/webhooks/{id}/test", "testWebhook", to!(webhooks::test), "Call a webhook once").admin().gives("Tested").also(&[404]).writes(),
    Route::new(Post, "/api/webhooks/{id}/enable", "enableWebhook", to!(webhooks::enable), "Switch a webhook on again").admin().gives("Webhook").also(&[404]).writes(),
    Route::new(Get, "/api/webhooks/{id}/deliveries", "webhookDeliveries", to!(webhooks::deliveries), "List the last attempts to call a webhook")
        .admin().gives("Deliveries").also(&[404]),

    Route::new(Get, "/api/compliance/history", "complianceHistory", to!(compliance::history), "List compliance runs, newest first")
        .params(&[p("instance_id", Kind::Text, "Of this instance."), p("project", Kind::Name, "Of this project."),
            p("pass", Kind::Flag, "That passed, or that did not."), LIMIT]).gives("Runs"),
    Route::new(Post, "/api/compliance/run", "runCompliance", to!(compliance::run), "Check every active instance's contracts now")
        .admin().gives("ComplianceCheck").writes(),

    Route::new(Get, "/api/templates", "listTemplates", to!(templates::list), "List templates, without their data")
        .params(&[p("kind", Kind::OneOf(&["rules", "contracts", "bundle"]), "Of this kind."), p("tag", Kind::Text, "With this tag.")]).gives("TemplateList"),
    Route::new(Post, "/api/templates", "createTemplate", to!(templates::create), "Make a template")
        .admin().json("TemplateBody").gives("Template").also(&[409]).writes(),
    Route::new(Post, "/api/templates/capture", "captureTemplate", to!(templates::capture), "Make a template of a project")
        .admin().json("CaptureBody").gives("Template").also(&[409]).writes(),
    Route::new(Get, "/api/templates/{id}", "getTemplate", to!(templates::get), "Read a template").gives("Template").also(&[404]),
    Route::new(Put, "/api/templates/{id}", "replaceTemplate", to!(templates::replace), "Replace a template")
        .admin().json("ReplaceTemplateBody").gives("Template").also(&[404]).writes(),
    Route::new(Delete, "/api/templates/{id}", "deleteTemplate", to!(templates::delete), "Delete a template").admin().gives("Deleted").also(&[404]).writes(),
    Route::new(Post, "/api/templates/{id}/apply", "applyTemplate", to!(templates::apply), "Bring a template to a project")
        .admin().json("ApplyBody").gives("Applied").also(&[404, 422]).writes(),

    Route::new(Get, "/api/audit", "audit", to!(audit::list), "Read the audit log, newest first")
        .params(&[p("actor", Kind::Text, "By this actor."), p("action", Kind::Text, "With this action."), p("resource", Kind::Text, "To this resource."),
            p("outcome", Kind::OneOf(&["success", "denied", "error"]), "With this outcome."), FROM, TO, LIMIT,
            p("after", Kind::Whole, "After this id, oldest first.")]).gives("AuditEntries"),
    Route::new(Get, "/api/audit/summary", "auditSummary", to!(audit::summary), "The audit log in numbers").params(&[FROM, TO]).gives("AuditSummary"),
    Route::new(Get, "/api/audit/verify", "verifyAudit", to!(audit::verify), "Verify the chain of the audit log").gives("ChainReport"),

    Route::new(Get, "/api/metrics", "metrics", to!(metrics::server), "The server in numbers").uncounted().gives("ServerMetrics"),
    Route::new(Post, "/api/metrics/reset", "resetMetrics", to!(metrics::reset), "Set the counters of calls to zero")
        .admin().uncounted().gives("Reset").writes(),
    Route::new(Get, "/api/metrics/agents", "agentMetrics", to!(metrics::agents), "Counters of all instances, or of one")
        .params(&[p("instance_id", Kind::Text, "Of this instance, hour by hour."), PERIOD]).gives("AgentMetrics"),
    Route::new(Get, "/api/metrics/agents/{id}", "agentMetricsOf", to!(metrics::agent), "Counters of one instance, hour by hour")
        .params(&[PERIOD]).gives("MetricRows"),

    Route::new(Post, "/api/llm/usage", "recordUsage", to!(usage::record), "Record what a model's work cost").json("UsageBody").gives("Recorded").writes(),
    Route::new(Get, "/api/llm/usage", "listUsage", to!(usage::list), "List usage records, newest first")
        .params(&[p("instance", Kind::Text, "Of this instance."), p("project", Kind::Text, "Of this project."),
            p("session_tag", Kind::Text, "With this label."), FROM, TO, LIMIT]).gives("UsageRecords"),
    Route::new(Get, "/api/llm/usage/summary", "usageSummary", to!(usage::summary), "Sum up usage by group")
        .params(&[p("group_by", Kind::OneOf(&["project", "instance", "model", "session_tag"]), "By what; project unless told."), FROM, TO]).gives("UsageSummary"),

    Route::new(Get, "/api/backup", "backup", to!(backup::take), "Take a backup of everything but secrets").admin().gives("Backup").also(&[403]),
    Route::new(Post, "/api/backup/restore", "restore", to!(backup::restore), "Bring back a backup").admin().json("Backup").gives("Restored").writes(),

    Route::new(Get, "/api/openapi.json", "openapi", to!(openapi::document), "This document").gives("OpenApi"),
    Route::new(Get, "/health", "health", to!(health::health), "Whether the server can do its work").open().uncounted().gives("Health"),
    Route::new(Get, "/metrics", "prometheus", to!(metrics::prometheus), "Counters for Prometheus").uncounted().replies(Reply::Text),
];

/// A route, as it is listed to those who ask what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Endpoint {
    /// Its name, which the `OpenAPI` document has as the operation's id.
    pub name: &'static str,
    /// The method.
    pub method: &'static str,
    /// The path, with `{name}` for a segment and `{name*}` for all that is left.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Whether only admins may call it, or the instance that it is about.
    pub admin: bool,
}

/// Every route of the server, in the order of the table.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    ROUTES
        .iter()
        .map(|route| Endpoint {
            name: route.id,
            method: route.method().as_str(),
            path: route.path,
            summary: route.summary,
            admin: matches!(route.access, Access::Admin | Access::Own),
        })
        .collect()
}
