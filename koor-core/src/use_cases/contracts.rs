//! Contracts: held against payloads, and against live services.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    app::Koor,
    caller::Caller,
    clock::Timestamp,
    domain::{
        RawJson,
        contracts::{Contract, Direction, Violation, claims_to_be_contract, contract_parts},
        json::{MOST_TREE, room, room_for, tree},
        metrics::Metric,
        state::Document,
    },
    error::{Error, Invalid},
    ids::{ProjectName, SpecKey, SpecName, Version},
    ports::{DOCUMENT_PAGE_BYTES, Outbound, OutboundAnswer},
    schema::{AbsoluteUrl, Needs},
};

/// How long a live service may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How much of its answer is read.
const MOST: usize = 10 << 20;

/// A contract in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractSummary {
    /// Its name.
    pub name: SpecName,
    /// Its version.
    pub version: Version,
    /// How many endpoints it has.
    pub endpoints: usize,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What to call of a live service.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["endpoint", "base_url"]))]
pub struct TestRequest {
    /// The endpoint of the contract.
    #[schemars(length(min = 1))]
    pub endpoint: String,
    /// Where the service is.
    #[schemars(with = "AbsoluteUrl")]
    pub base_url: String,
    /// What to send.
    pub test_data: Option<RawJson>,
}

/// What a live service made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractTest {
    /// Whether nothing was found and nothing went wrong.
    pub valid: bool,
    /// The endpoint.
    pub endpoint: String,
    /// The status of the answer; zero when there was none.
    pub status_code: u16,
    /// What was wrong with what was sent.
    pub request_violations: Vec<Violation>,
    /// What was wrong with the answer.
    pub response_violations: Vec<Violation>,
    /// Why there was no answer; `""` when there was.
    pub error: String,
}

impl Koor {
    /// The contracts of a project, by name: its specs that are well-formed contracts.
    ///
    /// # Errors
    /// When the store can't be read; [`StoreError::Busy`](crate::ports::StoreError::Busy) when too much else is being
    /// parsed.
    pub async fn contracts(&self, project: &ProjectName) -> Result<Vec<ContractSummary>, Error> {
        self.map_specs(project, |name, document| {
            if !claims_to_be_contract(&document.value) {
                return None;
            }
            let contract = Contract::parse(&contract_parts(&document.value).ok()?).ok()?;
            Some(ContractSummary {
                name: name.clone(),
                version: document.revision.version,
                endpoints: contract.endpoints().len(),
                updated_at: document.revision.updated_at,
            })
        })
        .await
    }

    /// What `look` makes of each spec of a project, by name. They are read some at a time and looked at one after the
    /// other, on a blocking thread; only what is made of them is kept.
    pub(crate) async fn map_specs<T: Send + 'static>(
        &self,
        project: &ProjectName,
        look: impl Fn(&SpecName, &Document) -> Option<T> + Clone + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let mut specs = self.specs(project.clone()).await?.into_iter().peekable();
        let mut found = Vec::new();
        while specs.peek().is_some() {
            let (mut names, mut bytes, mut largest) = (Vec::new(), 0, 0);
            while bytes < DOCUMENT_PAGE_BYTES
                && let Some((name, revision)) = specs.next()
            {
                let size = usize::try_from(revision.size).unwrap_or(usize::MAX);
                (bytes, largest) = (bytes.saturating_add(size), largest.max(size));
                names.push(name);
            }
            // First: many who wait must not hold documents meanwhile.
            let turn = self.permit(bytes.saturating_add(room_for(largest))).await?;
            let (project, look) = (project.clone(), look.clone());
            let documents = self.read(move |tx| {
                let mut documents = Vec::with_capacity(names.len());
                for name in names {
                    let key = SpecKey { project: project.clone(), name: name.clone() }.into();
                    let document = tx.document(&key)?.filter(|document| !document.revision.deleted);
                    documents.extend(document.map(|document| (name, document)));
                }
                Ok(documents)
            });
            let documents = documents.await?;
            let looked = turn.work(move || {
                let looked = documents.into_iter().filter_map(|(name, document)| look(&name, &document));
                Ok(looked.collect::<Vec<_>>())
            });
            found.extend(looked.await?);
        }
        Ok(found)
    }

    /// Holds a payload against an endpoint of a contract.
    ///
    /// # Errors
    /// When there is no such contract, or the spec of that name is none.
    pub async fn check_payload(
        &self,
        caller: &Caller,
        key: &SpecKey,
        endpoint: &str,
        direction: &str,
        payload: RawJson,
    ) -> Result<Vec<Violation>, Error> {
        if endpoint.is_empty() {
            return Err(Invalid::new("endpoint is required").into());
        }
        let document = self.contract_document(key).await?;
        let direction = if direction.is_empty() { "request" } else { direction };
        let (endpoint, direction) = (endpoint.to_owned(), direction.parse::<Direction>());
        // Compiling schemas and following them through megabytes: not on a thread that others wait for.
        let violations = self
            .run_limited(room(&document.value) + room(payload.as_str().as_bytes()), move || {
                let contract = read_contract(&document)?;
                let payload = tree(payload.as_str().as_bytes())?;
                Ok(match direction {
                    Ok(direction) => contract.check(&endpoint, direction, &payload),
                    Err(unknown) => vec![Violation { path: String::new(), message: unknown.to_string() }],
                })
            })
            .await?;
        self.count(caller, Metric::Violations, violations.len());
        Ok(violations)
    }

    async fn contract_document(&self, key: &SpecKey) -> Result<Arc<Document>, Error> {
        let document = self.newest(&key.clone().into()).await?;
        document.ok_or_else(|| Error::not_found("contract", key))
    }

    /// Calls a live service and holds what it is sent, and what it answers, against a contract.
    ///
    /// # Errors
    /// When there is no such contract, or the request makes no call. What goes wrong with the call is part of the answer.
    pub async fn test_contract(
        &self,
        caller: &Caller,
        key: &SpecKey,
        request: TestRequest,
    ) -> Result<ContractTest, Error> {
        if request.endpoint.is_empty() {
            return Err(Invalid::new("endpoint is required").into());
        }
        let document = self.contract_document(key).await?;
        let TestRequest { endpoint, base_url, test_data } = request;
        let (of, data_room) =
            (Arc::clone(&document), test_data.as_ref().map_or(0, |data| room(data.as_str().as_bytes())));
        let prepare = move || {
            let contract = read_contract(&of)?;
            let test_data = test_data.map(|data| tree(data.as_str().as_bytes())).transpose()?;
            let call = LiveCall::new(&endpoint, &base_url, test_data)?;
            let test = ContractTest {
                valid: false,
                request_violations: call.check(&contract, &endpoint),
                endpoint,
                status_code: 0,
                response_violations: Vec::new(),
                error: String::new(),
            };
            Ok((test, call.into_outbound()?))
        };
        let (mut test, outbound) = self.run_limited(room(&document.value) + data_room, prepare).await?;
        let sender = self.inner.sender.as_ref().ok_or_else(no_sender)?;
        match sender.send(outbound).await {
            Ok(answer) => {
                test.status_code = answer.status;
                let endpoint = test.endpoint.clone();
                // Read again: what waits for a service for ten seconds must not hold a contract meanwhile.
                let check = move || Ok(check_answer(&read_contract(&document)?, &endpoint, &answer));
                test.response_violations = self.run_limited(MOST_TREE, check).await?;
            }
            Err(error) => test.error = error.to_string(),
        }
        test.valid = test.request_violations.is_empty()
            && test.response_violations.is_empty()
            && test.error.is_empty();
        self.count(
            caller,
            Metric::Violations,
            test.request_violations.len() + test.response_violations.len(),
        );
        Ok(test)
    }
}

/// An endpoint, with test data put where it belongs.
struct LiveCall {
    method: String,
    url: Url,
    body: Option<Value>,
    query: Option<Map<String, Value>>,
}

impl LiveCall {
    fn new(endpoint: &str, base_url: &str, data: Option<Value>) -> Result<Self, Invalid> {
        if base_url.trim().is_empty() {
            return Err(Invalid::new("base_url is required"));
        }
        let (method, path) = endpoint
            .split_once(' ')
            .ok_or_else(|| Invalid::new(format!("endpoint {endpoint:?} is not a method and a path")))?;
        let mut data = data;
        let path = fill_in(path.trim(), data.as_mut());
        let url = crate::domain::webhooks::check_url(&format!("{}{path}", base_url.trim_end_matches('/')))
            .and_then(|url| Url::parse(&url).map_err(|error| Invalid::new(error.to_string())))
            .map_err(|error| Invalid::new(format!("invalid base_url: {error}")))?;
        let method = method.trim().to_ascii_uppercase();
        let in_query = matches!(method.as_str(), "GET" | "HEAD" | "DELETE");
        let (body, query) = match data {
            Some(Value::Object(fields)) if in_query => (None, Some(fields)),
            data => (data.filter(|data| !data.is_null() && !in_query), None),
        };
        Ok(Self { method, url, body, query })
    }

    fn check(&self, contract: &Contract, endpoint: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Some(query) = &self.query
            && contract.defines(endpoint, Direction::Query)
        {
            violations.extend(contract.check(endpoint, Direction::Query, &Value::Object(query.clone())));
        }
        if contract.defines(endpoint, Direction::Request) {
            let body = self.body.as_ref().unwrap_or(&Value::Null);
            violations.extend(contract.check(endpoint, Direction::Request, body));
        }
        violations
    }

    fn into_outbound(self) -> Result<Outbound, Invalid> {
        let Self { method, mut url, body, query } = self;
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &query {
                pairs.append_pair(name, &plain(value));
            }
        }
        let (headers, body) = match body {
            Some(body) => {
                let body = serde_json::to_vec(&body).map_err(|error| Invalid::new(error.to_string()))?;
                (vec![("content-type", "application/json".to_owned())], body.into())
            }
            None => (Vec::new(), Bytes::new()),
        };
        Ok(Outbound { method, url: url.into(), headers, body, timeout: TIMEOUT, most: Some(MOST) })
    }
}

/// Puts fields of the data into `{name}` and `:name` parts of a path, and takes them out of the data.
fn fill_in(path: &str, mut data: Option<&mut Value>) -> String {
    let fill = |segment: &str| -> String {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .or_else(|| segment.strip_prefix(':'));
        let value = name.and_then(|name| data.as_mut()?.as_object_mut()?.remove(name));
        value.map_or_else(|| segment.to_owned(), |value| escape(&plain(&value)))
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Escapes a text so that it stays one segment of a path.
fn escape(text: &str) -> String {
    let Ok(mut url) = Url::parse("http://x/") else { return String::new() };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().push(text);
    }
    url.path().trim_start_matches('/').to_owned()
}

fn check_answer(contract: &Contract, endpoint: &str, answer: &OutboundAnswer) -> Vec<Violation> {
    let direction = if answer.status >= 400 && contract.defines(endpoint, Direction::Error) {
        Direction::Error
    } else {
        Direction::Response
    };
    let mut violations = Vec::new();
    if direction == Direction::Response
        && let Some(unexpected) = contract.check_status(endpoint, answer.status)
    {
        violations.push(unexpected);
    }
    if contract.defines(endpoint, direction) {
        match tree(&answer.body) {
            Ok(body) => violations.extend(contract.check(endpoint, direction, &body)),
            Err(error) => violations
                .push(Violation { path: "response".to_owned(), message: format!("not JSON: {error}") }),
        }
    }
    violations
}

/// The contract that a document is.
fn read_contract(document: &Document) -> Result<Contract, Invalid> {
    let reason = match contract_parts(&document.value) {
        Ok(value) => match Contract::parse(&value) {
            Ok(contract) => return Ok(contract),
            Err(violations) => violations.first().map(describe).unwrap_or_default(),
        },
        Err(error) => error.to_string(),
    };
    Err(Invalid::new(format!("stored spec is not a valid contract: {reason}")))
}

fn describe(violation: &Violation) -> String {
    if violation.path.is_empty() {
        violation.message.clone()
    } else {
        format!("{}: {}", violation.path, violation.message)
    }
}

pub(crate) fn no_sender() -> Error {
    Invalid::new("this server makes no calls to the outside").into()
}
