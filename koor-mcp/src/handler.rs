//! The five tools, as the protocol's library wants them.

use std::sync::Arc;

use http::request::Parts;
use koor_core::{Caller, Error, ErrorKind, Koor, causes};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod,
        CompleteRequestParams, CompleteResult, ContentBlock, CustomRequest, CustomResult, ErrorCode,
        Implementation, ListPromptsRequestMethod, ListPromptsResult, ListResourceTemplatesRequestMethod,
        ListResourceTemplatesResult, ListResourcesRequestMethod, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};

use crate::{
    Guide, PROTOCOL_VERSION,
    arguments::Arguments,
    calls,
    tools::{self, Definition},
};

/// How long a client may keep the list of tools: they change only with the program.
const TOOLS_STAY: u64 = 300_000;

/// Answers what is asked by MCP. Made anew for each request, so cheap to clone.
#[derive(Clone)]
pub(crate) struct Handler(Arc<Inner>);

struct Inner {
    koor: Koor,
    guide: Guide,
}

impl Handler {
    pub(crate) fn new(koor: Koor, guide: Guide) -> Self {
        Self(Arc::new(Inner { koor, guide }))
    }

    async fn call(
        &self,
        sent: CallToolRequestParams,
        request: &Parts,
        version: Option<&str>,
    ) -> Result<CallToolResult, ErrorData> {
        let Some(tool) = Definition::find(&sent.name) else {
            return Err(ErrorData::invalid_params(format!("unknown tool: {}", sent.name), None));
        };
        let Some(caller) = request.extensions.get::<Caller>() else {
            tracing::error!("a request has come through without its caller");
            return Err(ErrorData::internal_error("internal error", None));
        };
        let arguments = match Arguments::read(tool, sent.arguments) {
            Ok(arguments) => arguments,
            Err(text) => return Ok(failed(text)),
        };
        let Inner { koor, guide } = &*self.0;
        match calls::call(tool.name, arguments, koor, caller, guide, request).await {
            Ok(answer) if has_structured_content(version) => Ok(CallToolResult::structured(answer)),
            Ok(answer) => Ok(CallToolResult::success(vec![ContentBlock::text(answer.to_string())])),
            Err(error) => Ok(failed(said(&error))),
        }
    }
}

/// Whether a client can read structured content, which protocol version 2025-06-18 introduced. Older clients get the JSON once,
/// as text. Clients before that version send no header, so a request without one may come from either kind and gets both.
fn has_structured_content(version: Option<&str>) -> bool {
    version.is_none_or(|version| version >= ProtocolVersion::V_2025_06_18.as_str())
}

/// The failure of a tool, for the model to read.
fn failed(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// What a model is told of an error, so that it can do something about it.
fn said(error: &Error) -> String {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(error = %error, causes = %causes(error), "internal error");
        return "internal error".to_owned();
    }
    match error {
        Error::NotFound { what: "instance", .. } => format!("{error}; call register_instance first"),
        error => error.to_string(),
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("koor", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Call register_instance once, before you first work with other agents, unless you were told already who you \
                 are in Koor; shared data is read and written by the command koor or REST, never through MCP.",
            )
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ListToolsResult::with_all_items(tools::all().to_vec());
        Ok(tools.with_ttl_ms(TOOLS_STAY).with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        sent: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(request) = context.extensions.get::<Parts>() else {
            tracing::error!("a call has come through without its request");
            return Err(ErrorData::internal_error("internal error", None));
        };
        let version = request.headers.get(PROTOCOL_VERSION).and_then(|version| version.to_str().ok());
        self.call(sent, request, version).await.map(CallToolResponse::Complete)
    }

    // The library would answer these with empty lists. A server that offers no such thing says that it does not.

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }

    /// What the library does not recognise: an unknown method, or a known one whose parameters are not its own.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let since_2026 = context
            .protocol_version()
            .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        let wanted = match request.method.as_str() {
            "tools/call" => "a name, and arguments as an object",
            "tools/list" => "an object, if any",
            "server/discover" => "_meta with protocolVersion and clientCapabilities",
            "ping" if !since_2026 => "an object, if any",
            "initialize" if !since_2026 => "protocolVersion, capabilities and clientInfo",
            _ => return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None)),
        };
        let text = format!("invalid params for {}: it takes {wanted}", request.method);
        Err(ErrorData::invalid_params(text, None))
    }
}
