//! What coordination costs in tokens: the same ten cycles through MCP alone, and with the data beside it.
//!
//! Prints `docs/token-tax.md`; `scripts/token-tax` puts it there.

#![expect(clippy::unwrap_used, reason = "a script fails by panicking")]

use std::collections::BTreeMap;

use integration_tests::{Mcp, Server, Site, steady};
use serde_json::{Value, json};

/// How often the agent reads, writes and learns.
const CYCLES: usize = 10;

/// The contract of the workflow, in bytes.
const CONTRACT: usize = 2 << 10;

/// Contracts of other sizes, to see what the number depends on.
const SIZES: [usize; 5] = [512, CONTRACT, 8 << 10, 32 << 10, 128 << 10];

/// What passed a model: the definitions that it was given, what it wrote, and what it was given to read.
#[derive(Debug, Clone, Default)]
struct Traffic {
    definitions: usize,
    written: usize,
    read: usize,
    /// All of it, by what it was for.
    parts: BTreeMap<Part, usize>,
}

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Definitions,
    Registering,
    Endpoints,
    Learning,
    Reading,
    Writing,
}

const PARTS: [(Part, &str); 6] = [
    (Part::Definitions, "the definitions of the tools"),
    (Part::Registering, "to register and to say what it does, once"),
    (Part::Endpoints, "to ask for the endpoints, once"),
    (Part::Learning, "to learn of ten changes"),
    (Part::Reading, "to read ten contracts"),
    (Part::Writing, "to write ten results"),
];

impl Traffic {
    fn with(tools: &Value) -> Self {
        let definitions = tokens(&tools.to_string());
        Self { definitions, parts: [(Part::Definitions, definitions)].into(), ..Self::default() }
    }

    /// The model calls a tool, and reads what comes of it.
    fn turn(&mut self, part: Part, tool: &str, arguments: &Value, answer: &str) {
        let written = tokens(&plain(&json!({"name": tool, "arguments": arguments})));
        let read =
            serde_json::from_str(answer).map_or_else(|_| tokens(answer), |answer| tokens(&plain(&answer)));
        self.written += written;
        self.read += read;
        *self.parts.entry(part).or_default() += written + read;
    }

    fn total(&self) -> usize {
        self.definitions + self.written + self.read
    }
}

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
}

/// The same with ids, times and hashes that are the same in every run, so that the numbers are.
fn plain(value: &Value) -> String {
    let id = value["instance_id"].as_str().unwrap_or(ID).to_owned();
    steady(value.clone())
        .to_string()
        .replace("<uuid>", ID)
        .replace(&id, ID)
        .replace("<time>", "2026-02-09T14:30:00.123Z")
        .replace("<hash>", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
}

const ID: &str = "7d3c1f0a-52b6-4e0f-9a57-1c8e6b2f4d90";

/// A contract of about that many bytes, as JSON that people indent; it differs from cycle to cycle.
fn contract(bytes: usize, cycle: usize) -> String {
    let mut endpoints = serde_json::Map::new();
    for number in 0.. {
        let request = json!({"plate": {"type": "string", "required": true}, "axles": {"type": "number"}});
        let response = json!({"id": {"type": "string"}, "queue_position": {"type": "number"}});
        let fields = json!({"request": request, "response": response});
        endpoints.insert(format!("POST /api/trucks/{number}/wash"), fields);
        let text = json!({"kind": "contract", "version": cycle, "endpoints": endpoints}).to_string();
        if text.len() >= bytes {
            return text;
        }
    }
    unreachable!("every further endpoint makes it longer")
}

/// What the agent has to say after a cycle.
fn result(cycle: usize) -> Value {
    json!({
        "task": format!("wash queue {cycle}"), "status": "done", "by": "frontend",
        "files": ["web/queue.templ", "web/queue.go", "web/queue_test.go"],
        "tests": {"passed": 14 + cycle, "failed": 0},
        "notes": "The queue shows the position of each truck and follows changes without a reload.",
        "next": ["show the estimated time", "let the operator reorder the queue"],
    })
}

/// The tools that a server has whose data goes through MCP, beside the five: as short as they can be said.
fn data_tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    let tool = |name: &str, description: &str, properties: Value, required: Value| {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        json!({"name": name, "description": description, "inputSchema": schema})
    };
    vec![
        tool("get_state", "Read a shared value.", json!({"key": text}), json!(["key"])),
        tool(
            "set_state",
            "Write a shared value.",
            json!({"key": text, "value": {}}),
            json!(["key", "value"]),
        ),
        tool(
            "wait_events",
            "Wait for events after a cursor.",
            json!({"pattern": text, "since": {"type": "integer"}}),
            json!(["pattern"]),
        ),
    ]
}

/// The server, as the rest of the world uses it between two turns of the agent.
struct World {
    site: Site,
    mcp: Mcp,
    bytes: usize,
}

const KEY: &str = "Truck-Wash/api-contract";
const RESULT: &str = "Truck-Wash/frontend-result";

impl World {
    /// The backend publishes the next contract, and says so. What the agent reads of that when it waits.
    fn change(&self, cycle: usize, since: &mut u64) -> String {
        self.site
            .put(&format!("/api/state/{KEY}"), &serde_json::from_str(&contract(self.bytes, cycle)).unwrap())
            .ok();
        let event =
            json!({"topic": "truck-wash.backend.done", "source": "backend", "data": {"contract": cycle}});
        self.site.post("/api/events/publish", &event).ok();
        let waited = self.site.get(&format!("/api/events/wait?pattern=truck-wash.*&since={since}"));
        *since = waited.ok()["cursor"].as_u64().unwrap();
        waited.text().to_owned()
    }

    fn read(&self) -> String {
        self.site.get(&format!("/api/state/{KEY}")).text().to_owned()
    }

    fn write(&self, cycle: usize) -> String {
        let put = self.site.put(&format!("/api/state/{RESULT}"), &result(cycle));
        put.ok();
        put.text().to_owned()
    }

    /// What every agent does first.
    fn begin(&self, traffic: &mut Traffic) {
        let register = json!({"name": "frontend", "workspace": "Truck-Wash", "stack": "goth"});
        let me = self.mcp.call("register_instance", &register);
        traffic.turn(Part::Registering, "register_instance", &register, &me.to_string());
        let intent = json!({"instance_id": me["instance_id"], "intent": "the wash queue"});
        let said = self.mcp.call("set_intent", &intent);
        traffic.turn(Part::Registering, "set_intent", &intent, &said.to_string());
    }
}

fn world(bytes: usize) -> (Server, World) {
    let server = Server::start();
    let world = World { site: server.site(), mcp: Mcp(server.site()), bytes };
    (server, world)
}

/// Everything through MCP: a tool for each thing, and all of it in the model's context.
fn through_mcp(bytes: usize) -> Traffic {
    let (_server, world) = world(bytes);
    let mut tools = five(&world);
    tools.as_array_mut().unwrap().extend(data_tools());
    let mut traffic = Traffic::with(&tools);
    world.begin(&mut traffic);
    let mut since = 0;
    for cycle in 1..=CYCLES {
        let arguments = json!({"pattern": "truck-wash.*", "since": since});
        traffic.turn(Part::Learning, "wait_events", &arguments, &world.change(cycle, &mut since));
        traffic.turn(Part::Reading, "get_state", &json!({"key": KEY}), &world.read());
        let arguments = json!({"key": RESULT, "value": result(cycle)});
        traffic.turn(Part::Writing, "set_state", &arguments, &world.write(cycle));
    }
    traffic
}

/// Whether the model looks at the data that goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// It stays in files: compilers, generators and tests read and write it.
    InFiles,
    /// The model reads the contract from the terminal, and writes the result itself.
    Seen,
}

/// Control by the five tools, data by the command line. What a command prints is what the server answers.
fn as_koor_means_it(bytes: usize, data: Data) -> Traffic {
    let (_server, world) = world(bytes);
    let mut traffic = Traffic::with(&five(&world));
    world.begin(&mut traffic);
    let endpoints = world.mcp.call("get_endpoints", &json!({})).to_string();
    let port = world_port(&endpoints);
    traffic.turn(Part::Endpoints, "get_endpoints", &json!({}), &endpoints.replace(&port, "9800"));
    let mut shell = |part: Part, command: String, printed: &str| {
        traffic.turn(part, "shell", &json!({"command": command}), printed);
    };
    let mut since = 0;
    for cycle in 1..=CYCLES {
        let wait = format!("koor-cli events wait 'truck-wash.*' --since {since}");
        shell(Part::Learning, wait, &world.change(cycle, &mut since));
        let (read, written) = (world.read(), world.write(cycle));
        match data {
            Data::InFiles => {
                shell(Part::Reading, format!("koor-cli state get {KEY} --output contract.json"), "");
                shell(Part::Writing, format!("koor-cli state set {RESULT} --file result.json"), &written);
            }
            Data::Seen => {
                shell(Part::Reading, format!("koor-cli state get {KEY}"), &read);
                shell(
                    Part::Writing,
                    format!("koor-cli state set {RESULT} --data '{}'", result(cycle)),
                    &written,
                );
            }
        }
    }
    traffic
}

/// The port that is another one in each run.
fn world_port(endpoints: &str) -> String {
    let (_, rest) = endpoints.split_once("http://localhost:").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

fn five(world: &World) -> Value {
    world.mcp.ask("tools/list", &json!({}))["result"]["tools"].clone()
}

fn times(more: &Traffic, less: &Traffic) -> String {
    let tenths = (more.total() * 10 + less.total() / 2) / less.total();
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn row(name: &str, traffic: &Traffic) {
    let Traffic { definitions, written, read, .. } = traffic;
    println!("| {name} | {definitions} | {written} | {read} | **{}** |", traffic.total());
}

fn main() {
    let (mcp, files, seen) = (
        through_mcp(CONTRACT),
        as_koor_means_it(CONTRACT, Data::InFiles),
        as_koor_means_it(CONTRACT, Data::Seen),
    );
    println!(
        "# The token tax

Whatever goes through MCP goes through a model's context: the definitions of the tools, what the model writes to call
them, and what they answer. This page counts it for one workflow. `scripts/token-tax` plays it against the real server and
writes this page; tokens are those of o200k_base.

## The workflow

An agent registers and says what it does. Then, {CYCLES} times: it learns that something has changed, reads a contract
of {} bytes, and writes a result of {} bytes. It is played in three ways:

- **MCP alone**: beside Koor's five tools there are three more for the data, `get_state`, `set_state` and `wait_events`,
  as briefly defined as can be. They answer what Koor's REST API answers.
- **Koor, data in files**: the agent calls `get_endpoints` once and then runs `koor-cli` in its shell. The contract goes
  into a file that a generator or a test reads, the result comes from a file that a test wrote. The model reads the
  event and the answer to the write.
- **Koor, data seen**: the same, but the model prints the contract and reads all of it, and writes the result itself.

| tokens | definitions | written by the model | read by the model | all |
|---|---:|---:|---:|---:|",
        contract(CONTRACT, 1).len(),
        result(1).to_string().len(),
    );
    row("MCP alone", &mcp);
    row("Koor, data in files", &files);
    row("Koor, data seen", &seen);
    println!(
        "
**MCP alone takes {} times the tokens of Koor with the data in files, and {} times those of Koor with the data seen.**

## How the number comes about

| tokens | MCP alone | Koor, data in files | Koor, data seen |
|---|---:|---:|---:|",
        times(&mcp, &files),
        times(&mcp, &seen),
    );
    for (part, name) in PARTS {
        let of = |traffic: &Traffic| traffic.parts.get(&part).copied().unwrap_or_default();
        println!("| {name} | {} | {} | {} |", of(&mcp), of(&files), of(&seen));
    }
    println!(
        "
Nothing makes a text shorter on its way. What Koor saves is what the model does not have to see, and only that: where the
model must read the contract itself, it pays for it by either road, and Koor's road costs the list of endpoints on top,
once. So the factor is no constant. It grows with the data that goes by in files:

| contract | MCP alone | Koor, data in files | times |
|---:|---:|---:|---:|"
    );
    for bytes in SIZES {
        let (mcp, files) = (through_mcp(bytes), as_koor_means_it(bytes, Data::InFiles));
        println!(
            "| {} bytes | {} | {} | {} |",
            contract(bytes, 1).len(),
            mcp.total(),
            files.total(),
            times(&mcp, &files)
        );
    }
    println!(
        "
The project that Koor replaces claims 35 times fewer tokens. That holds for some size of data, as this table shows, and not
for 2 KB in ten cycles: there it is {}.

What is not counted: the model's own instructions and thoughts, the definition of its shell, which it has anyway, and that
a model is shown its whole context again at each turn. That last makes everything early dearer, on both roads alike;
most providers cache it.

`GET /api/metrics` counts for a running server: `token_tax.measured` has the bytes that each plane has really served, and
a fourth of them as tokens. The fields beside it are the original's estimate of 300 tokens a call, which says how many calls
there were and little else.",
        times(&mcp, &files),
    );
}
