//! The chapters of the reference, in their order, with an example of each route. `docs.rs` runs them, from top to bottom,
//! in one shell and against one server: what one makes, a later one finds.

/// A part of the reference.
pub(crate) struct Chapter {
    pub(crate) title: &'static str,
    pub(crate) says: &'static str,
    /// The name of an operation, and how it is called.
    pub(crate) calls: &'static [(&'static str, &'static str)],
}

pub(crate) const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Server",
        says: "Is it there, and how is it?",
        calls: &[
            ("health", "curl localhost:9800/health"),
            ("prometheus", "curl localhost:9800/metrics"),
            ("openapi", "curl localhost:9800/api/openapi.json"),
        ],
    },
    Chapter {
        title: "State",
        says: "Values of any bytes under a key, with every version of them. A key may have slashes, written as they are.",
        calls: &[
            ("putState", "curl -X PUT localhost:9800/api/state/Truck-Wash/plan -d '{\"step\": 1}'"),
            (
                "getState",
                "curl localhost:9800/api/state/Truck-Wash/plan\ncurl 'localhost:9800/api/state/Truck-Wash/plan?history=1'",
            ),
            ("listState", "curl 'localhost:9800/api/state?prefix=Truck-Wash/'"),
            (
                "rollbackState",
                "curl -X PUT 'localhost:9800/api/state/Truck-Wash/plan?if_version=1' -d '{\"step\": 2}'\n\
                 curl 'localhost:9800/api/state/Truck-Wash/plan?diff=1,2'\n\
                 curl -X POST 'localhost:9800/api/state/Truck-Wash/plan?rollback=1'",
            ),
            ("deleteState", "curl -X DELETE localhost:9800/api/state/Truck-Wash/plan"),
        ],
    },
    Chapter {
        title: "Specs",
        says: "JSON documents of a project, with every version of them. [The guide](specs-and-validation.md).",
        calls: &[
            ("putSpec", "curl -X PUT localhost:9800/api/specs/Truck-Wash/queue -d '{\"places\": 4}'"),
            ("getSpec", "curl localhost:9800/api/specs/Truck-Wash/queue"),
            ("listSpecs", "curl localhost:9800/api/specs/Truck-Wash"),
            ("listProjects", "curl localhost:9800/api/specs"),
            ("rollbackSpec", "curl -X POST 'localhost:9800/api/specs/Truck-Wash/queue?rollback=1'"),
            ("deleteSpec", "curl -X DELETE localhost:9800/api/specs/Truck-Wash/queue"),
        ],
    },
    Chapter {
        title: "Contracts",
        says: "Specs that say what an endpoint takes and answers. [The guide](specs-and-validation.md).",
        calls: &[
            (
                "putContract",
                "curl -X PUT localhost:9800/api/contracts/Truck-Wash/api -d '{\"kind\": \"contract\", \"version\": 1, \"endpoints\": {\n  \
                 \"POST /api/trucks\": {\"request\": {\"plate\": {\"type\": \"string\", \"required\": true}}},\n  \
                 \"GET /health\": {\"response\": {\"status\": {\"type\": \"string\"}, \"uptime\": {\"type\": \"string\"}, \"version\": \
                 {\"type\": \"string\"}}}}}'",
            ),
            ("listContracts", "curl localhost:9800/api/contracts/Truck-Wash"),
            (
                "validatePayload",
                "curl localhost:9800/api/contracts/Truck-Wash/api/validate -d '{\"endpoint\": \"POST /api/trucks\", \"payload\": {\"plate\": 7}}'",
            ),
            (
                "testContract",
                "curl localhost:9800/api/contracts/Truck-Wash/api/test -d '{\"endpoint\": \"GET /health\", \"base_url\": \
                 \"http://localhost:9800\"}'",
            ),
        ],
    },
    Chapter {
        title: "Rules and validation",
        says: "What a file must have and must not have. [The guide](specs-and-validation.md).",
        calls: &[
            (
                "putRules",
                "curl -X PUT localhost:9800/api/validate/Truck-Wash/rules -d '[{\"project\": \"Truck-Wash\", \"rule_id\": \"no-todo\", \
                 \"pattern\": \"TODO\"}]'",
            ),
            ("projectRules", "curl localhost:9800/api/validate/Truck-Wash/rules"),
            (
                "validateFile",
                "curl localhost:9800/api/validate/Truck-Wash -d '{\"filename\": \"src/queue.ts\", \"content\": \"// TODO: sort\"}'",
            ),
            (
                "proposeRule",
                "for rule in no-any no-var; do\n  curl localhost:9800/api/rules/propose -d '{\"project\": \"Truck-Wash\", \"rule_id\": \
                 \"'$rule'\", \"pattern\": \"x\"}'\ndone",
            ),
            ("acceptRule", "curl -X POST localhost:9800/api/rules/Truck-Wash/no-any/accept"),
            ("rejectRule", "curl -X POST localhost:9800/api/rules/Truck-Wash/no-var/reject"),
            ("listRules", "curl 'localhost:9800/api/rules?status=accepted'"),
            ("exportRules", "curl localhost:9800/api/rules/export > rules.json"),
            ("importRules", "curl localhost:9800/api/rules/import -d @rules.json"),
            ("deleteRule", "curl -X DELETE localhost:9800/api/rules/Truck-Wash/no-todo"),
        ],
    },
    Chapter {
        title: "Events",
        says: "One durable log, with one cursor for everything. [The guide](events-guide.md).",
        calls: &[
            (
                "publishEvent",
                "curl localhost:9800/api/events/publish -d '{\"topic\": \"truck-wash.api.done\", \"data\": {\"ok\": true}}'",
            ),
            ("eventHistory", "curl 'localhost:9800/api/events/history?topic=truck-wash.*&last=10'"),
            (
                "waitForEvents",
                "curl 'localhost:9800/api/events/wait?since=0&pattern=truck-wash.*&timeout=30s'",
            ),
            ("streamEvents", "curl -N 'localhost:9800/api/events/stream?pattern=truck-wash.*&since=0'"),
            (
                "subscribe",
                "curl -N --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\\n  \
                 -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' -o frames 'localhost:9800/api/events/subscribe?since=0'",
            ),
        ],
    },
    Chapter {
        title: "Instances",
        says: "Who is there. An instance is an agent at work; its token is shown once.",
        calls: &[
            (
                "registerInstance",
                "ID=$(curl localhost:9800/api/instances/register -d '{\"name\": \"frontend\", \"workspace\": \"Truck-Wash\", \"stack\": \
                 \"react\"}' | cut -d '\"' -f 4)",
            ),
            ("listInstances", "curl 'localhost:9800/api/instances?workspace=Truck-Wash'"),
            ("getInstance", "curl localhost:9800/api/instances/$ID"),
            ("activateInstance", "curl -X POST localhost:9800/api/instances/$ID/activate"),
            ("heartbeat", "curl -X POST localhost:9800/api/instances/$ID/heartbeat"),
            (
                "setIntent",
                "curl localhost:9800/api/instances/$ID/intent -d '{\"intent\": \"the booking page\"}'",
            ),
            (
                "setCapabilities",
                "curl localhost:9800/api/instances/$ID/capabilities -d '{\"capabilities\": [\"css\", \"a11y\"]}'",
            ),
            (
                "announceSession",
                "curl localhost:9800/api/instances/$ID/session -d '{\"session\": \"a-session\"}'",
            ),
            ("renewToken", "curl -X POST localhost:9800/api/instances/$ID/token"),
            ("checkLiveness", "curl -X POST localhost:9800/api/liveness/check"),
            ("staleInstances", "curl localhost:9800/api/instances/stale"),
            ("deregisterInstance", "curl -X DELETE localhost:9800/api/instances/$ID"),
        ],
    },
    Chapter {
        title: "Tasks",
        says: "What there is to do in a project, and who does it. A holder's calls name its instance. [The guide](tasks.md).",
        calls: &[
            (
                "createTasks",
                "curl localhost:9800/api/tasks/Truck-Wash -d '[{\"title\": \"Show free places\", \"key\": \"places\", \"review\": true}, \
                 {\"title\": \"Book one\", \"after\": [\"places\"]}]'",
            ),
            ("taskProjects", "curl localhost:9800/api/tasks"),
            ("listTasks", "curl 'localhost:9800/api/tasks/Truck-Wash?ready=true'"),
            ("getTask", "curl localhost:9800/api/tasks/Truck-Wash/1"),
            ("editTask", "curl -X PATCH localhost:9800/api/tasks/Truck-Wash/1 -d '{\"priority\": 0}'"),
            (
                "claimTask",
                "ID=$(curl localhost:9800/api/instances/register -d '{\"name\": \"backend\", \"workspace\": \"Truck-Wash\"}' | cut -d '\"' \
                 -f 4)\n\
                 curl -X POST localhost:9800/api/tasks/Truck-Wash/claim -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "renewTask",
                "curl localhost:9800/api/tasks/Truck-Wash/1/renew -H \"X-Koor-Instance: $ID\" -d '{\"fence\": 1, \"lease\": \"1h\"}'",
            ),
            (
                "releaseTask",
                "curl localhost:9800/api/tasks/Truck-Wash/1/release -H \"X-Koor-Instance: $ID\" -d '{\"note\": \"not yet\"}'",
            ),
            (
                "failTask",
                "curl localhost:9800/api/tasks/Truck-Wash/claim -H \"X-Koor-Instance: $ID\" -d '{\"number\": 1}'\n\
                 curl localhost:9800/api/tasks/Truck-Wash/1/fail -H \"X-Koor-Instance: $ID\" -d '{\"reason\": \"no design\", \"retry\": false}'",
            ),
            ("reopenTask", "curl -X POST localhost:9800/api/tasks/Truck-Wash/1/reopen"),
            (
                "finishTask",
                "curl localhost:9800/api/tasks/Truck-Wash/claim -H \"X-Koor-Instance: $ID\" -d '{\"number\": 1}'\n\
                 curl localhost:9800/api/tasks/Truck-Wash/1/done -H \"X-Koor-Instance: $ID\" -d '{\"result\": {\"tests\": 12}}'",
            ),
            (
                "rejectTask",
                "curl localhost:9800/api/tasks/Truck-Wash/1/reject -d '{\"note\": \"one test is missing\"}'",
            ),
            (
                "approveTask",
                "curl localhost:9800/api/tasks/Truck-Wash/claim -H \"X-Koor-Instance: $ID\" -d '{\"number\": 1}'\n\
                 curl -X POST localhost:9800/api/tasks/Truck-Wash/1/done -H \"X-Koor-Instance: $ID\"\n\
                 curl -X POST localhost:9800/api/tasks/Truck-Wash/1/approve",
            ),
            (
                "addTaskNote",
                "curl localhost:9800/api/tasks/Truck-Wash/2/notes -d '{\"text\": \"see the plan\"}'",
            ),
            ("taskNotes", "curl localhost:9800/api/tasks/Truck-Wash/2/notes"),
            (
                "cancelTask",
                "curl localhost:9800/api/tasks/Truck-Wash/2/cancel -d '{\"reason\": \"not needed\"}'",
            ),
        ],
    },
    Chapter {
        title: "Leases",
        says: "Which agent works on which paths of a project: others are refused until it gives them back or is no longer heard of.",
        calls: &[
            (
                "takeLease",
                "ID=$(curl localhost:9800/api/instances/register -d '{\"name\": \"backend\", \"workspace\": \"Truck-Wash\"}' \
                 | cut -d '\"' -f 4)\n\
                 curl localhost:9800/api/leases/Truck-Wash -H \"X-Koor-Instance: $ID\" -d '{\"paths\": [\"src/auth\", \
                 \"docs/*.md\"], \"lease\": \"10m\"}'",
            ),
            ("listLeases", "curl 'localhost:9800/api/leases/Truck-Wash?path=src/auth/login.rs'"),
            (
                "checkPaths",
                "curl localhost:9800/api/leases/Truck-Wash/check -d '{\"paths\": [\"src/auth\", \"src/main.rs\"]}'",
            ),
            (
                "renewLease",
                "curl -X POST localhost:9800/api/leases/Truck-Wash/1/renew -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "releaseLease",
                "curl -X DELETE localhost:9800/api/leases/Truck-Wash/1 -H \"X-Koor-Instance: $ID\"",
            ),
        ],
    },
    Chapter {
        title: "Messages",
        says: "Agents write to each other by name. A message waits in the inbox of each recipient, also of one that is not running now.",
        calls: &[
            (
                "sendMessage",
                "curl localhost:9800/api/messages -H \"X-Koor-Instance: $ID\" -d '{\"to\": [\"backend\"], \"subject\": \"login\", \
                 \"body\": \"The form is there.\", \"ack\": true}'",
            ),
            ("listMessages", "curl 'localhost:9800/api/messages?unread=1' -H \"X-Koor-Instance: $ID\""),
            (
                "getMessage",
                "MESSAGE=$(curl localhost:9800/api/messages -H \"X-Koor-Instance: $ID\" | cut -d ':' -f 2 | cut -d ',' -f 1)\n\
                 curl localhost:9800/api/messages/$MESSAGE -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "readMessage",
                "curl -X POST localhost:9800/api/messages/$MESSAGE/read -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "readMessages",
                "curl localhost:9800/api/messages/read -H \"X-Koor-Instance: $ID\" -d \"{\\\"ids\\\": [$MESSAGE]}\"",
            ),
            (
                "ackMessage",
                "curl -X POST localhost:9800/api/messages/$MESSAGE/ack -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "brief",
                "curl localhost:9800/api/brief -H \"X-Koor-Instance: $ID\" -H 'Accept: text/plain'\n\
                 curl 'localhost:9800/api/brief?peek=1' -H \"X-Koor-Instance: $ID\"",
            ),
            (
                "seeBrief",
                "curl localhost:9800/api/brief/seen -H \"X-Koor-Instance: $ID\" -d \"{\\\"cursor\\\": 1, \\\"messages\\\": [$MESSAGE]}\"",
            ),
        ],
    },
    Chapter {
        title: "Webhooks",
        says: "Durable subscribers that are called. At least once, in order. [The guide](events-guide.md).",
        calls: &[
            (
                "createWebhook",
                "curl localhost:9800/api/webhooks -d '{\"id\": \"watch\", \"url\": \"http://localhost:9800/api/liveness/check\", \
                 \"patterns\": [\"agent.*\"]}'",
            ),
            ("listWebhooks", "curl localhost:9800/api/webhooks"),
            ("getWebhook", "curl localhost:9800/api/webhooks/watch"),
            ("testWebhook", "curl -X POST localhost:9800/api/webhooks/watch/test"),
            ("webhookDeliveries", "curl localhost:9800/api/webhooks/watch/deliveries"),
            ("enableWebhook", "curl -X POST localhost:9800/api/webhooks/watch/enable"),
            ("deleteWebhook", "curl -X DELETE localhost:9800/api/webhooks/watch"),
        ],
    },
    Chapter {
        title: "Compliance",
        says: "Whether the contracts of those who are at work hold, checked from time to time.",
        calls: &[
            ("runCompliance", "curl -X POST localhost:9800/api/compliance/run"),
            ("complianceHistory", "curl 'localhost:9800/api/compliance/history?project=Truck-Wash&limit=10'"),
        ],
    },
    Chapter {
        title: "Templates",
        says: "Rules, contracts and specs that a project can begin with.",
        calls: &[
            (
                "captureTemplate",
                "curl localhost:9800/api/templates/capture -d '{\"id\": \"wash\", \"name\": \"A wash\", \"project\": \"Truck-Wash\", \
                 \"kind\": \"bundle\"}'",
            ),
            (
                "createTemplate",
                "curl localhost:9800/api/templates -d '{\"id\": \"empty\", \"name\": \"Nothing yet\"}'",
            ),
            (
                "replaceTemplate",
                "curl -X PUT localhost:9800/api/templates/empty -d '{\"name\": \"Still nothing\"}'",
            ),
            ("listTemplates", "curl localhost:9800/api/templates"),
            ("getTemplate", "curl localhost:9800/api/templates/wash"),
            (
                "applyTemplate",
                "curl localhost:9800/api/templates/wash/apply -d '{\"project\": \"Car-Park\"}'",
            ),
            ("deleteTemplate", "curl -X DELETE localhost:9800/api/templates/empty"),
        ],
    },
    Chapter {
        title: "Audit log",
        says: "Who changed what, in a chain of hashes. Nothing in it can be changed or taken away.",
        calls: &[
            ("audit", "curl 'localhost:9800/api/audit?action=state.put&limit=10'"),
            ("auditSummary", "curl localhost:9800/api/audit/summary"),
            ("verifyAudit", "curl localhost:9800/api/audit/verify"),
        ],
    },
    Chapter {
        title: "Metrics and cost",
        says: "What was called, and what the models cost.",
        calls: &[
            ("metrics", "curl localhost:9800/api/metrics"),
            ("agentMetrics", "curl localhost:9800/api/metrics/agents"),
            ("agentMetricsOf", "curl localhost:9800/api/metrics/agents/$ID"),
            ("resetMetrics", "curl -X POST localhost:9800/api/metrics/reset"),
            (
                "recordUsage",
                "curl localhost:9800/api/llm/usage -d '{\"provider\": \"anthropic\", \"model\": \"claude\", \"project\": \"Truck-Wash\", \
                 \"tokens_in\": 1200, \"tokens_out\": 300, \"cost_usd\": 0.01}'",
            ),
            ("listUsage", "curl 'localhost:9800/api/llm/usage?project=Truck-Wash'"),
            ("usageSummary", "curl 'localhost:9800/api/llm/usage/summary?group_by=model'"),
            (
                "setBudget",
                "curl -X PUT localhost:9800/api/budgets/Truck-Wash -d '{\"period\": \"day\", \"usd\": 20, \"action\": \"warn\"}'",
            ),
            ("getBudget", "curl localhost:9800/api/budgets/Truck-Wash"),
            ("listBudgets", "curl localhost:9800/api/budgets"),
            ("deleteBudget", "curl -X DELETE localhost:9800/api/budgets/Truck-Wash"),
        ],
    },
    Chapter {
        title: "Telemetry",
        says: "OTLP/HTTP: what the clients of agents report by themselves. [Costs](costs.md) says what counts.",
        calls: &[
            (
                "exportLogs",
                "curl localhost:9800/v1/logs -H 'Content-Type: application/json' -d '{\"resourceLogs\": []}'",
            ),
            (
                "exportTraces",
                "curl localhost:9800/v1/traces -H 'Content-Type: application/json' -d '{\"resourceSpans\": []}'",
            ),
            (
                "exportMetrics",
                "curl localhost:9800/v1/metrics -H 'Content-Type: application/json' -d '{\"resourceMetrics\": []}'",
            ),
        ],
    },
    Chapter {
        title: "Backup",
        says: "Everything but secrets, as of one moment. [Deployment](deployment.md) says how to keep one.",
        calls: &[
            ("backup", "curl localhost:9800/api/backup > backup.json"),
            ("restore", "curl localhost:9800/api/backup/restore -d @backup.json"),
        ],
    },
];
