//! A request from its head to its answer.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Body as _, Incoming},
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN},
    http::request::Parts,
};
use koor_core::{Caller, Identified, Koor, Plane};
use tokio::time::Instant;

use crate::{
    assets::{self, Assets},
    auth,
    body::{Body, Sent, Tally},
    connections::Connections,
    context::ConnectionContext,
    error::Failure,
    log::{self, RequestIds, X_REQUEST_ID},
    mount::{Mount, MountAnswer},
    openapi,
    origin::{self, EVERY_METHOD, Gate},
    otlp,
    params::Params,
    prometheus::{Meters, RouteLabel},
    query::Query,
    request::Call,
    request_body::{BodyBudget, drop_body, read_all},
    response::{self, Answer, X_KOOR_WARNING},
    router::{self, Found},
    settings::HttpSettings,
    shared::{Binds, Door, Shared},
    socket::Turn,
    table::{Access, ROUTES, Route},
};

/// Everything that answers requests: the shared state, and what stands above the table of routes.
pub(crate) struct App {
    pub(crate) shared: Arc<Shared>,
    assets: Assets,
    mounts: Vec<Mount>,
    gate: Gate,
}

/// A connection on which requests come in.
pub(crate) struct Connection {
    pub(crate) app: Arc<App>,
    pub(crate) context: Arc<ConnectionContext>,
}

/// What a request is for.
enum Target<'a> {
    /// OPTIONS, which is answered without a caller.
    Options(Answer),
    Asset,
    Mount(&'a Mount),
    Route(&'static Route, Params),
}

/// A target, and the caller who may now use it.
struct Admission<'a> {
    target: Target<'a>,
    /// The caller, where one is identified.
    identified: Option<Identified>,
}

/// How a request counts, when its answer is sent.
enum Count {
    /// As a call on behalf of that caller.
    Call(Plane, Caller),
    /// Only its bytes count.
    Bytes(Plane),
}

/// What came of a request.
struct Served {
    answer: Result<Answer, Failure>,
    /// The caller, where one was identified.
    caller: Option<Caller>,
    warning: Option<String>,
    /// `None` where it does not count.
    count: Option<Count>,
}

impl Served {
    fn refused(failure: Failure) -> Self {
        Self { answer: Err(failure), caller: None, warning: None, count: None }
    }
}

impl App {
    pub(crate) fn new(
        koor: Koor,
        settings: HttpSettings,
        assets: Assets,
        mounts: Vec<Mount>,
        doors: &[Door],
    ) -> Self {
        let guarded = koor.settings().server_token.is_some();
        let addresses = doors.iter().map(|door| door.address);
        let gate = Gate::new(&settings.allow_origins, &settings.allow_hosts, addresses, guarded);
        let names = ROUTES.iter().map(|route| (route.method().as_str(), route.path)).collect();
        let shared = Shared {
            meters: Meters::new(names),
            body_budget: BodyBudget::default(),
            connections: Connections::new(settings.max_connections),
            request_ids: RequestIds::new(koor.now().millis().unsigned_abs()),
            binds: Binds::new(&settings, doors),
            openapi: openapi::text,
            koor,
            settings,
        };
        Self { shared: Arc::new(shared), assets, mounts, gate }
    }

    /// Finds the target of a request that [`Gate`] has let in.
    fn find(&self, head: &Parts, door: Door) -> (RouteLabel, Result<Target<'_>, Failure>) {
        let path = head.uri.path();
        if head.method == Method::OPTIONS {
            return (RouteLabel::Unmatched, self.options(head, door).map(Target::Options));
        }
        if let Some(mount) = self.mounts.iter().find(|mount| door.is_api && mount.covers(path)) {
            return (RouteLabel::Mounted, Ok(Target::Mount(mount)));
        }
        match router::find(&head.method, path) {
            Found::Route(number, route, params) => {
                (RouteLabel::Route(number), Ok(Target::Route(route, params)))
            }
            Found::OtherMethods(allow) => (RouteLabel::Unmatched, Err(Failure::WrongMethod(allow))),
            found @ Found::Nothing if is_asset(door, path, &found) => (RouteLabel::Asset, Ok(Target::Asset)),
            Found::Nothing => (RouteLabel::Unmatched, Err(Failure::NoRoute(path.to_owned()))),
        }
    }

    /// Whether the request may be what a browser sends when a person opens a page of the dashboard. The dashboard may answer
    /// every path with its first page, so paths of routes are excluded.
    fn opens_page(&self, head: &Parts, door: Door) -> bool {
        let path = head.uri.path();
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        reads && is_asset(door, path, &router::find(&head.method, path)) && self.assets.find(path).is_some()
    }

    /// Answers OPTIONS: the methods of a path, and what a page of another origin may send.
    fn options(&self, head: &Parts, door: Door) -> Result<Answer, Failure> {
        let path = head.uri.path();
        let mounted = door.is_api && self.mounts.iter().any(|mount| mount.covers(path));
        let allow = match router::find(&Method::OPTIONS, path) {
            _ if path == "*" || mounted => EVERY_METHOD.to_owned(),
            Found::OtherMethods(allow) => allow,
            Found::Nothing if !door.is_api && self.assets.find(path).is_some() => {
                "GET, HEAD, OPTIONS".to_owned()
            }
            Found::Route(..) | Found::Nothing => return Err(Failure::NoRoute(path.to_owned())),
        };
        let mut answer = response::empty(StatusCode::NO_CONTENT);
        if let Ok(allow) = HeaderValue::try_from(allow) {
            answer.headers_mut().insert(ALLOW, allow);
        }
        origin::add_preflight(&head.headers, answer.headers_mut());
        Ok(answer)
    }
}

impl Connection {
    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let Self { app, context } = self;
        let shared = &*context.shared;
        context.begin_answer();
        let (head, mut body) = request.into_parts();
        let asked = Asked::of(&head);
        let request_id = shared.request_ids.of(&head.headers);
        let door = context.door;
        let gate =
            app.gate.check(door.address.ip(), &head.uri, &head.headers, || app.opens_page(&head, door));
        let let_in = gate.is_ok();
        let (label, target) = match gate {
            Ok(()) => app.find(&head, door),
            Err(failure) => (RouteLabel::Unmatched, Err(failure)),
        };
        let admission = match target {
            Ok(target) => self.admit(target, &head).await,
            Err(failure) => Err(failure),
        };
        let Served { answer, caller, warning, count } = match admission {
            Ok(admission) => self.serve(admission, head, body).await,
            Err(failure) => {
                drop_body(&head.headers, &mut body).await;
                Served::refused(failure)
            }
        };
        let mut answer = answer.unwrap_or_else(|failure| {
            let mut refusal = failure.render(&request_id);
            if otlp::is_export(&asked.method, asked.uri.path()) {
                let encoding = otlp::Encoding::of(&asked.headers).unwrap_or(otlp::Encoding::Json);
                otlp::restate(&mut refusal, &failure, encoding);
            }
            refusal
        });
        response::pack(&asked.headers, &mut answer).await;
        if asked.method == Method::HEAD {
            answer = response::without_body(answer);
        }
        let headers = answer.headers_mut();
        origin::add_policy(headers);
        if let_in {
            origin::add_cors(&asked.headers, headers);
        }
        if let Some(warning) = warning.and_then(|warning| HeaderValue::try_from(warning).ok()) {
            headers.insert(X_KOOR_WARNING, warning);
        }
        let took = begun.elapsed();
        let status = answer.status();
        shared.meters.count(label, status, took);
        log::line(&asked.method, asked.uri.path(), status, took, &request_id, caller.as_ref());
        answer.headers_mut().insert(X_REQUEST_ID, request_id);
        count_when_sent(&shared.koor, &mut answer, count, &context.turn);
        answer
    }

    /// Identifies the caller, where the target asks for one.
    async fn admit<'a>(&self, target: Target<'a>, head: &Parts) -> Result<Admission<'a>, Failure> {
        let token_in_query = match &target {
            Target::Options(_) | Target::Asset => None,
            Target::Route(route, _) if route.access == Access::Open => None,
            Target::Route(route, _) => Some(route.token_in_query),
            Target::Mount(_) => Some(false),
        };
        let Some(token_in_query) = token_in_query else { return Ok(Admission { target, identified: None }) };
        let query = Query(head.uri.query().unwrap_or_default());
        let koor = &self.context.shared.koor;
        let identified = auth::identify(koor, &head.headers, query, token_in_query).await?;
        self.context.mark_identified();
        Ok(Admission { target, identified: Some(identified) })
    }

    /// Lets the target answer.
    async fn serve(&self, admission: Admission<'_>, head: Parts, body: Incoming) -> Served {
        let Admission { target, identified } = admission;
        let (caller, warning) = match identified {
            Some(Identified { caller, warning }) => (Some(caller), warning),
            None => (None, None),
        };
        let (answer, count) = match target {
            Target::Options(answer) => (Ok(answer), None),
            Target::Asset => (assets::answer(&self.app.assets, &head), None),
            Target::Mount(mount) => {
                let caller = caller.clone().unwrap_or_else(Caller::local);
                // On the heap: every request would have room for it, and most are for routes.
                match Box::pin(self.call_mount(mount, caller, head, body)).await {
                    Ok((answer, Some(caller))) => (Ok(answer), Some(Count::Call(Plane::Mcp, caller))),
                    Ok((answer, None)) => (Ok(answer), Some(Count::Bytes(Plane::Mcp))),
                    Err(failure) => (Err(failure), Some(Count::Bytes(Plane::Mcp))),
                }
            }
            Target::Route(route, params) => {
                let context = Arc::clone(&self.context);
                let counted = context.door.is_api && route.counted;
                let count = caller.clone().filter(|_| counted).map(|caller| Count::Call(Plane::Rest, caller));
                let counted = count.is_some();
                let caller = caller.clone().unwrap_or_else(Caller::local);
                let call = Call { caller, head, body, params, context, counted, permit: None };
                ((route.handler.run)(call).await, count)
            }
        };
        Served { answer, caller, warning, count }
    }

    /// Hands a request to a mounted service, with its body and its caller. Answers also the caller that it counts for.
    async fn call_mount(
        &self,
        mount: &Mount,
        caller: Caller,
        mut head: Parts,
        mut body: Incoming,
    ) -> Result<(Answer, Option<Caller>), Failure> {
        let Shared { settings, body_budget, .. } = &*self.context.shared;
        let (limit, within) = (settings.max_body, settings.body_timeout);
        let (body, _permit) = read_all(&head.headers, &mut body, limit, within, body_budget).await?;
        head.extensions.insert(caller);
        if let Some(peer) = self.context.peer {
            head.extensions.insert::<SocketAddr>(peer);
        }
        let MountAnswer { response, called_by } =
            mount.call(Request::from_parts(head, Full::new(body))).await;
        Ok((response.map(|body| Body::Mounted(body, Tally::none())), called_by))
    }
}

/// Whether the dashboard answers a path that the router was asked for.
fn is_asset(door: Door, path: &str, found: &Found) -> bool {
    matches!(found, Found::Nothing) && !door.is_api && !path.starts_with("/api/")
}

/// Counts a request when the last byte of its answer is sent, and gives the turn back to the client.
fn count_when_sent(koor: &Koor, answer: &mut Answer, count: Option<Count>, turn: &Turn) {
    // A WebSocket counts itself when it ends, and its connection has no more turns.
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let length = answer.body().size_hint().exact().unwrap_or(0);
    match answer.body_mut().tally() {
        None => {
            note(koor, count.as_ref(), length);
            turn.to_client();
        }
        Some(tally) => {
            let (koor, turn) = (koor.clone(), turn.clone());
            tally.then(move |Sent { bytes, cut }| {
                note(&koor, count.as_ref(), bytes);
                if cut { turn.break_off() } else { turn.to_client() }
            });
        }
    }
}

fn note(koor: &Koor, count: Option<&Count>, bytes: u64) {
    match count {
        Some(Count::Call(plane, caller)) => koor.count_call(caller, *plane, bytes),
        Some(Count::Bytes(plane)) => koor.count_bytes(*plane, bytes),
        None => {}
    }
}

/// The parts of a request that are still needed when it is answered.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Asked {
    fn of(head: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in [ACCEPT_ENCODING, ORIGIN, CONTENT_TYPE] {
            for value in head.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { method: head.method.clone(), uri: head.uri.clone(), headers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most room for the future of a request that every open connection has, in use or not.
    const MOST: usize = 3 << 10;

    fn size_of_answer<'a, F>(_: impl Fn(&'a Connection, Request<Incoming>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        let size = size_of_answer(Connection::answer);
        assert!(size <= MOST, "{size} bytes: put the rarest of what it waits for on the heap");
    }
}
