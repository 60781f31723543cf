//! The table of routes: the one place that says what this server answers.
//!
//! The router, `Allow`, the `OpenAPI` document, the list of endpoints and the tests all read it.

use std::pin::Pin;

use hyper::Method;

use crate::{
    error::Failure,
    request::Call,
    response::Answer,
    routes,
    shape::{Handles, Schemas, Shape},
};

/// The work of a handler.
type Running = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// What answers a request, and what it takes and answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handler {
    pub(crate) run: fn(Call) -> Running,
    pub(crate) shape: fn(&mut Schemas) -> Shape,
}

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

/// One row of the table.
#[derive(Debug, Clone, Copy)]
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
    /// Statuses beyond those that every route of its kind can answer with.
    pub(crate) also: &'static [u16],
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
            also: &[],
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

    const fn also(self, also: &'static [u16]) -> Self {
        Self { also, ..self }
    }
}

macro_rules! to {
    ($room:ident::$handler:ident) => {
        Handler {
            run: |call| Box::pin(Handles::run(routes::$room::$handler, call)),
            shape: |schemas| Handles::shape(routes::$room::$handler, schemas),
        }
    };
}

use Verb::{Delete, Get, Patch, Post, Put};

/// Every route. What is asked for most stands at the top.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    Route::new(Get, "/api/state/{key*}", "getState", to!(state::get), "Read a state value, its history, a diff, or wait for a change").also(&[304, 404]),
    Route::new(Put, "/api/state/{key*}", "putState", to!(state::put), "Store a state value").also(&[412]),
    Route::new(Post, "/api/state/{key*}", "rollbackState", to!(state::rollback), "Make an older version of a state value the newest").also(&[404, 412]),
    Route::new(Delete, "/api/state/{key*}", "deleteState", to!(state::delete), "Delete a state value; its history stays").also(&[404, 412]),
    Route::new(Get, "/api/state", "listState", to!(state::list), "List state values, by key"),

    Route::new(Get, "/api/specs", "listProjects", to!(specs::projects), "List the projects"),
    Route::new(Get, "/api/specs/{project}", "listSpecs", to!(specs::list), "List a project's specs, by name"),
    Route::new(Get, "/api/specs/{project}/{name}", "getSpec", to!(specs::get), "Read a spec, its history, a diff, or wait for a change").also(&[304, 404]),
    Route::new(Put, "/api/specs/{project}/{name}", "putSpec", to!(specs::put), "Store a spec").also(&[412, 422]),
    Route::new(Post, "/api/specs/{project}/{name}", "rollbackSpec", to!(specs::rollback), "Make an older version of a spec the newest").also(&[404, 412]),
    Route::new(Delete, "/api/specs/{project}/{name}", "deleteSpec", to!(specs::delete), "Delete a spec; its history stays").also(&[404, 412]),

    Route::new(Post, "/api/events/publish", "publishEvent", to!(events::publish), "Publish an event"),
    Route::new(Get, "/api/events/history", "eventHistory", to!(events::history), "Read the event log"),
    Route::new(Get, "/api/events/wait", "waitForEvents", to!(events::wait), "Wait for events after a cursor").also(&[410]),
    Route::new(Get, "/api/events/subscribe", "subscribe", to!(events::subscribe), "Follow the event log by WebSocket").also(&[426]).token_in_query(),
    Route::new(Get, "/api/events/stream", "streamEvents", to!(events::stream), "Follow the event log by Server-Sent Events").token_in_query(),

    Route::new(Get, "/api/instances", "listInstances", to!(instances::list), "List instances, last seen first"),
    Route::new(Get, "/api/instances/stale", "staleInstances", to!(instances::stale), "List the instances that have fallen silent"),
    Route::new(Get, "/api/instances/{id}", "getInstance", to!(instances::get), "Read an instance").also(&[404]),
    Route::new(Post, "/api/instances/register", "registerInstance", to!(instances::register), "Register an instance; the only time its token is shown").admin(),
    Route::new(Post, "/api/instances/{id}/activate", "activateInstance", to!(instances::activate), "Make an instance active").own().also(&[404]),
    Route::new(Post, "/api/instances/{id}/heartbeat", "heartbeat", to!(instances::heartbeat), "Say that an instance is alive").own().also(&[404]),
    Route::new(Post, "/api/instances/{id}/capabilities", "setCapabilities", to!(instances::capabilities), "Replace an instance's capabilities").own().also(&[404]),
    Route::new(Post, "/api/instances/{id}/intent", "setIntent", to!(instances::intent), "Say what an instance is doing").own().also(&[404]),
    Route::new(Post, "/api/instances/{id}/session", "announceSession", to!(instances::session), "Say in which session of a client an instance works").own().also(&[404]),
    Route::new(Post, "/api/instances/{id}/token", "renewToken", to!(instances::token), "Draw a new token for an instance").own().also(&[404]),
    Route::new(Delete, "/api/instances/{id}", "deregisterInstance", to!(instances::delete), "Deregister an instance").own().also(&[404]),
    Route::new(Post, "/api/liveness/check", "checkLiveness", to!(instances::check_liveness), "Look for silent instances now").admin(),

    Route::new(Get, "/api/tasks", "taskProjects", to!(tasks::projects), "Count the tasks of each project"),
    Route::new(Get, "/api/tasks/{project}", "listTasks", to!(tasks::list), "List a project's tasks"),
    Route::new(Post, "/api/tasks/{project}", "createTasks", to!(tasks::create), "Make a task, or an array of tasks, all or none").also(&[201, 409]),
    Route::new(Post, "/api/tasks/{project}/claim", "claimTask", to!(claims::claim), "Claim the next task, or the one of that number").also(&[403, 404, 409]),
    Route::new(Get, "/api/tasks/{project}/{number}", "getTask", to!(tasks::get), "Read a task, or wait for a change").also(&[304, 404]),
    Route::new(Patch, "/api/tasks/{project}/{number}", "editTask", to!(tasks::edit), "Change a task").also(&[404, 409, 412]),
    Route::new(Post, "/api/tasks/{project}/{number}/renew", "renewTask", to!(claims::renew), "Renew a claim").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/release", "releaseTask", to!(claims::release), "Give a task back").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/done", "finishTask", to!(claims::done), "Finish a task").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/fail", "failTask", to!(claims::fail), "Say that a task could not be done").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/approve", "approveTask", to!(tasks::approve), "Approve a task that is in review").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/reject", "rejectTask", to!(tasks::reject), "Send a task back to the agent who did it").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/cancel", "cancelTask", to!(tasks::cancel), "Cancel a task").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/reopen", "reopenTask", to!(tasks::reopen), "Open a finished task again").also(&[404, 409]),
    Route::new(Post, "/api/tasks/{project}/{number}/notes", "addTaskNote", to!(tasks::note), "Note something on a task").also(&[404]),
    Route::new(Get, "/api/tasks/{project}/{number}/notes", "taskNotes", to!(tasks::notes), "List the notes on a task").also(&[404]),
    Route::new(Post, "/api/leases/{project}", "takeLease", to!(leases::take), "Lease paths: all of them, or none").also(&[403, 409]),
    Route::new(Get, "/api/leases/{project}", "listLeases", to!(leases::list), "List a project's leases, by number"),
    Route::new(Post, "/api/leases/{project}/check", "checkPaths", to!(leases::check), "Check which paths are free; takes nothing").also(&[403]),
    Route::new(Post, "/api/leases/{project}/{id}/renew", "renewLease", to!(leases::renew), "Renew a lease of the calling agent").also(&[403, 404]),
    Route::new(Delete, "/api/leases/{project}/{id}", "releaseLease", to!(leases::release), "Give a lease back; an admin may end another agent's").also(&[403, 404]),

    Route::new(Get, "/api/brief", "brief", to!(briefs::get), "What the calling agent has to know now; with Accept: text/plain, in at most 300 tokens"),
    Route::new(Post, "/api/brief/seen", "seeBrief", to!(briefs::seen), "Say that a brief that moved nothing was shown, with these messages").also(&[404]),

    Route::new(Post, "/api/messages", "sendMessage", to!(messages::send), "Send a message to agents and groups of agents").also(&[404]),
    Route::new(Get, "/api/messages", "listMessages", to!(messages::list), "List the messages of the calling agent, by id").also(&[403]),
    Route::new(Post, "/api/messages/read", "readMessages", to!(messages::read_many), "Say that the calling agent has read these messages").also(&[404]),
    Route::new(Get, "/api/messages/{id}", "getMessage", to!(messages::get), "Read a message and its receipts; does not mark it as read").also(&[403, 404]),
    Route::new(Post, "/api/messages/{id}/read", "readMessage", to!(messages::read), "Say that the calling agent has read a message").also(&[404]),
    Route::new(Post, "/api/messages/{id}/ack", "ackMessage", to!(messages::ack), "Acknowledge a message").also(&[404]),

    Route::new(Get, "/api/validate/{project}/rules", "projectRules", to!(rules::of_project), "List a project's rules"),
    Route::new(Put, "/api/validate/{project}/rules", "putRules", to!(rules::put), "Replace a project's accepted rules").admin(),
    Route::new(Post, "/api/validate/{project}", "validateFile", to!(rules::validate), "Hold a file against a project's rules"),
    Route::new(Get, "/api/rules", "listRules", to!(rules::list), "List rules of all projects"),
    Route::new(Get, "/api/rules/export", "exportRules", to!(rules::export), "Export accepted rules"),
    Route::new(Post, "/api/rules/import", "importRules", to!(rules::import), "Import rules").admin(),
    Route::new(Post, "/api/rules/propose", "proposeRule", to!(rules::propose), "Propose a rule").also(&[409]),
    Route::new(Post, "/api/rules/{project}/{rule_id}/accept", "acceptRule", to!(rules::accept), "Accept a proposed rule").admin().also(&[404]),
    Route::new(Post, "/api/rules/{project}/{rule_id}/reject", "rejectRule", to!(rules::reject), "Reject a proposed rule").admin().also(&[404]),
    Route::new(Delete, "/api/rules/{project}/{rule_id}", "deleteRule", to!(rules::delete), "Delete a rule").admin().also(&[404]),

    Route::new(Get, "/api/contracts/{project}", "listContracts", to!(contracts::list), "List a project's contracts"),
    Route::new(Put, "/api/contracts/{project}/{name}", "putContract", to!(contracts::put), "Store a well-formed contract").also(&[412, 422]),
    Route::new(Post, "/api/contracts/{project}/{name}/validate", "validatePayload", to!(contracts::validate), "Hold a payload against a contract").also(&[404]),
    Route::new(Post, "/api/contracts/{project}/{name}/test", "testContract", to!(contracts::test), "Hold a live service against a contract").also(&[404]),

    Route::new(Get, "/api/webhooks", "listWebhooks", to!(webhooks::list), "List webhooks").admin().also(&[403]),
    Route::new(Post, "/api/webhooks", "createWebhook", to!(webhooks::create), "Make a webhook").admin().also(&[409]),
    Route::new(Get, "/api/webhooks/{id}", "getWebhook", to!(webhooks::get), "Read a webhook").admin().also(&[404]),
    Route::new(Delete, "/api/webhooks/{id}", "deleteWebhook", to!(webhooks::delete), "Delete a webhook").admin().also(&[404]),
    Route::new(Post, "/api/webhooks/{id}/test", "testWebhook", to!(webhooks::test), "Call a webhook once").admin().also(&[404]),
    Route::new(Post, "/api/webhooks/{id}/enable", "enableWebhook", to!(webhooks::enable), "Switch a webhook on again").admin().also(&[404]),
    Route::new(Get, "/api/webhooks/{id}/deliveries", "webhookDeliveries", to!(webhooks::deliveries), "List the last attempts to call a webhook").admin().also(&[404]),

    Route::new(Get, "/api/compliance/history", "complianceHistory", to!(compliance::history), "List compliance runs, newest first"),
    Route::new(Post, "/api/compliance/run", "runCompliance", to!(compliance::run), "Check every active instance's contracts now").admin(),

    Route::new(Get, "/api/templates", "listTemplates", to!(templates::list), "List templates, without their data"),
    Route::new(Post, "/api/templates", "createTemplate", to!(templates::create), "Make a template").admin().also(&[409]),
    Route::new(Post, "/api/templates/capture", "captureTemplate", to!(templates::capture), "Make a template of a project").admin().also(&[409]),
    Route::new(Get, "/api/templates/{id}", "getTemplate", to!(templates::get), "Read a template").also(&[404]),
    Route::new(Put, "/api/templates/{id}", "replaceTemplate", to!(templates::replace), "Replace a template").admin().also(&[404]),
    Route::new(Delete, "/api/templates/{id}", "deleteTemplate", to!(templates::delete), "Delete a template").admin().also(&[404]),
    Route::new(Post, "/api/templates/{id}/apply", "applyTemplate", to!(templates::apply), "Bring a template to a project").admin().also(&[404, 422]),

    Route::new(Get, "/api/audit", "audit", to!(audit::list), "Read the audit log, newest first"),
    Route::new(Get, "/api/audit/summary", "auditSummary", to!(audit::summary), "The audit log in numbers"),
    Route::new(Get, "/api/audit/verify", "verifyAudit", to!(audit::verify), "Verify the chain of the audit log"),

    Route::new(Get, "/api/metrics", "metrics", to!(metrics::server), "The server in numbers").uncounted(),
    Route::new(Post, "/api/metrics/reset", "resetMetrics", to!(metrics::reset), "Set the counters of calls to zero").admin().uncounted(),
    Route::new(Get, "/api/metrics/agents", "agentMetrics", to!(metrics::agents), "Counters of all instances, or of one"),
    Route::new(Get, "/api/metrics/agents/{id}", "agentMetricsOf", to!(metrics::agent), "Counters of one instance, hour by hour"),

    Route::new(Post, "/api/llm/usage", "recordUsage", to!(usage::record), "Record what a model's work cost"),
    Route::new(Get, "/api/llm/usage", "listUsage", to!(usage::list), "List usage records, newest first"),
    Route::new(Get, "/api/llm/usage/summary", "usageSummary", to!(usage::summary), "Sum up usage by group"),

    Route::new(Post, "/v1/logs", "exportLogs", to!(telemetry::logs), "Take in log records by OTLP: usage that a client reports").uncounted().also(&[415]),
    Route::new(Post, "/v1/traces", "exportTraces", to!(telemetry::traces), "Take in spans by OTLP: usage that a client reports").uncounted().also(&[415]),
    Route::new(Post, "/v1/metrics", "exportMetrics", to!(telemetry::metrics), "Take in metrics by OTLP, and drop them").uncounted().also(&[415]),

    Route::new(Get, "/api/budgets", "listBudgets", to!(budgets::list), "List budgets, by project"),
    Route::new(Get, "/api/budgets/{project}", "getBudget", to!(budgets::get), "Read a project's budget, and what is spent of it").also(&[404]),
    Route::new(Put, "/api/budgets/{project}", "setBudget", to!(budgets::put), "Give a project a budget").admin(),
    Route::new(Delete, "/api/budgets/{project}", "deleteBudget", to!(budgets::delete), "Remove a project's budget").admin().also(&[404]),

    Route::new(Get, "/api/backup", "backup", to!(backup::take), "Take a backup of everything but secrets").admin().also(&[403]),
    Route::new(Post, "/api/backup/restore", "restore", to!(backup::restore), "Bring back a backup").admin(),

    Route::new(Get, "/api/openapi.json", "openapi", to!(openapi::document), "This document"),
    Route::new(Get, "/health", "health", to!(health::health), "Whether the server can do its work").open().uncounted(),
    Route::new(Get, "/metrics", "prometheus", to!(metrics::prometheus), "Counters for Prometheus").uncounted(),
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
