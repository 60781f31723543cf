//! What services promise each other: kept, and held against payloads and live services.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    commands::documents::Condition,
    context::Context,
    exit::Failure,
    input::{Input, Pair},
    output::{Column, Kind, Rows, Table},
};

/// What is done with contracts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// List the contracts of a project
    #[command(after_help = "Example:\n  koor contract list Truck-Wash")]
    List {
        /// Project
        project: String,
    },

    /// Print a contract
    #[command(after_help = "Example:\n  koor contract get Truck-Wash/api --pretty")]
    Get {
        /// Project and name of the contract
        #[arg(value_name = "PROJECT/NAME")]
        contract: Pair,
    },

    /// Store a contract
    #[command(after_help = "Example:\n  koor contract set Truck-Wash/api --file api.json")]
    Set(Set),

    /// Check a payload against a contract
    #[command(after_help = "\
It prints PASS, or FAIL with what is wrong; then the exit code is 1.

Examples:
  koor contract validate Truck-Wash/api --endpoint 'POST /api/trucks' --payload '{\"plate\": \"B-X 1\"}'
  curl -s localhost:8080/api/trucks | \\
    koor contract validate Truck-Wash/api --endpoint 'GET /api/trucks' --direction response --file -")]
    Validate(Validate),

    /// Test a live service against a contract, endpoint by endpoint
    #[command(after_help = "\
The server makes the calls. If one of them fails, the exit code is 1.

Examples:
  koor contract test Truck-Wash/api --target http://localhost:8080
  koor contract test Truck-Wash/api --target http://localhost:8080 --endpoint 'GET /api/trucks'")]
    Test(Test),
}

/// What is stored.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Project and name of the contract
    #[arg(value_name = "PROJECT/NAME")]
    contract: Pair,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    condition: Condition,
}

/// What is held against what.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Project and name of the contract
    #[arg(value_name = "PROJECT/NAME")]
    contract: Pair,
    /// Endpoint, as the contract names it
    #[arg(long, value_name = "METHOD PATH")]
    endpoint: String,
    /// Payload to check: request or response
    #[arg(long, value_name = "WHICH", default_value = "request")]
    direction: Direction,
    /// Payload in JSON; - reads standard input
    #[arg(
        long,
        visible_alias = "data",
        value_name = "JSON",
        allow_hyphen_values = true,
        required_unless_present = "file"
    )]
    payload: Option<String>,
    /// File of the payload; - is standard input
    #[arg(long, value_name = "PATH", conflicts_with = "payload")]
    file: Option<String>,
}

/// Which payload of an endpoint.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Request,
    Response,
    Query,
    Error,
}

/// Which service is held against what.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Project and name of the contract
    #[arg(value_name = "PROJECT/NAME")]
    contract: Pair,
    /// URL of the service
    #[arg(long, visible_alias = "base-url", value_name = "URL")]
    target: String,
    /// Test only this endpoint
    #[arg(long, value_name = "METHOD PATH")]
    endpoint: Option<String>,
    /// Payload for endpoints that take one
    #[arg(long, visible_alias = "test-data", value_name = "JSON", allow_hyphen_values = true)]
    data: Option<String>,
}

const TABLE: Table = Table {
    rows: Rows::In("contracts"),
    columns: &[
        Column("NAME", "/name", Kind::Name),
        Column("VERSION", "/version", Kind::Number),
        Column("ENDPOINTS", "/endpoints", Kind::Number),
        Column("UPDATED", "/updated_at", Kind::Time),
    ],
    empty: "no contracts",
};

#[derive(Serialize)]
struct Check<'a> {
    endpoint: &'a str,
    direction: Direction,
    payload: Box<RawValue>,
}

#[derive(Serialize)]
struct Call<'a> {
    endpoint: &'a str,
    base_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_data: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Checked {
    valid: bool,
    #[serde(default)]
    violations: Vec<Violation>,
}

#[derive(Deserialize)]
struct Tested {
    valid: bool,
    #[serde(default)]
    status_code: u16,
    #[serde(default)]
    request_violations: Vec<Violation>,
    #[serde(default)]
    response_violations: Vec<Violation>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Violation {
    path: String,
    message: String,
}

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached, or a check fails.
pub(crate) fn run(command: &ContractCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match command {
        ContractCommand::List { project } => {
            context.table(client.get("/api/contracts").segment(project), &TABLE)
        }
        ContractCommand::Get { contract } => context.show(client.get("/api/specs").pair(contract)),
        ContractCommand::Set(Set { contract, input, condition }) => {
            let request = condition.hold(client.put("/api/contracts").pair(contract));
            context.show_write(request.bytes(input.read()?, "application/json"))
        }
        ContractCommand::Validate(what) => validate(what, context),
        ContractCommand::Test(what) => test(what, context),
    }
}

fn validate(what: &Validate, context: &Context) -> Result<(), Failure> {
    let Validate { contract, endpoint, direction, payload, file } = what;
    let input = Input { data: payload.clone(), file: file.clone() };
    let body = Check { endpoint, direction: *direction, payload: input.read_json()? };
    let request = context.client.post("/api/contracts").pair(contract).segment("validate").json(&body)?;
    let answer = request.send()?.bytes()?;
    let Checked { valid, violations } = understood(&answer)?;
    if context.output.is_json_wanted() {
        context.output.json(&answer)?;
    } else {
        let direction = direction.to_possible_value();
        let direction = direction.as_ref().map_or("", |value| value.get_name());
        let mut text = format!("{} {direction} {endpoint}", verdict(valid));
        push(&mut text, &violations);
        context.output.line(text)?;
    }
    if valid { Ok(()) } else { Err(Failure::said_already()) }
}

fn test(what: &Test, context: &Context) -> Result<(), Failure> {
    let endpoints = match &what.endpoint {
        Some(endpoint) => vec![endpoint.clone()],
        None => endpoints(context, &what.contract)?,
    };
    let mut answers: Vec<Box<RawValue>> = Vec::new();
    let mut passed = 0;
    for endpoint in &endpoints {
        let test_data = what.data.as_ref().map(|data| Input::text(data).read_json()).transpose()?;
        let body = Call { endpoint, base_url: &what.target, test_data };
        let request =
            context.client.post("/api/contracts").pair(&what.contract).segment("test").json(&body)?;
        let answer = request.send()?.bytes()?;
        let tested: Tested = understood(&answer)?;
        passed += usize::from(tested.valid);
        if context.output.is_json_wanted() {
            answers.push(understood(&answer)?);
        } else {
            context.output.line(line(endpoint, &tested))?;
        }
    }
    let failed = endpoints.len() - passed;
    if context.output.is_json_wanted() {
        let all = serde_json::to_vec(&answers).map_err(|error| Failure::caused_by(&error))?;
        context.output.json(&all)?;
    } else {
        context.output.line(format_args!("{passed}/{} endpoints PASS, {failed} FAIL", endpoints.len()))?;
    }
    if failed == 0 { Ok(()) } else { Err(Failure::said_already()) }
}

/// The endpoints that a contract names, in their order there.
fn endpoints(context: &Context, contract: &Pair) -> Result<Vec<String>, Failure> {
    let stored: Value = context.client.get("/api/specs").pair(contract).send()?.json()?;
    let endpoints = stored.get("endpoints").and_then(Value::as_object);
    let endpoints =
        endpoints.ok_or_else(|| Failure::refused(format_args!("{contract} is not a contract")))?;
    Ok(endpoints.keys().cloned().collect())
}

fn line(endpoint: &str, tested: &Tested) -> String {
    let mut text = format!("{} {endpoint}", verdict(tested.valid));
    if tested.status_code != 0 {
        // A text takes whatever is written to it.
        let _ = write!(text, " ({})", tested.status_code);
    }
    push(&mut text, &tested.request_violations);
    push(&mut text, &tested.response_violations);
    if !tested.error.is_empty() {
        let _ = write!(text, "\n  - {}", tested.error);
    }
    text
}

/// Both are as wide.
fn verdict(valid: bool) -> &'static str {
    if valid { "PASS " } else { "FAIL " }
}

fn push(text: &mut String, violations: &[Violation]) {
    for Violation { path, message } in violations {
        // A text takes whatever is written to it.
        let _ = write!(text, "\n  - [{path}] {message}");
    }
}

fn understood<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer)
        .map_err(|error| Failure::refused(format_args!("cannot understand the server's answer: {error}")))
}
