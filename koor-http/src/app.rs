//! The way of a request from its head to its answer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{ALLOW, HeaderValue},
    http::request::Parts,
};
use koor_core::{Caller, Identified, Koor, Plane};
use tokio::time::Instant;

use crate::{
    assets::Assets,
    auth,
    body::{Body, Sent, Tally},
    connections::Connections,
    error::Failure,
    log::{self, RequestIds, X_REQUEST_ID},
    mount::{CalledBy, Mount},
    origin::{self, Gate},
    prometheus::{self, Meters},
    request::{Call, Query, Room, drop_body, read_all},
    response::{self, Answer, X_KOOR_WARNING},
    router::{self, EVERY_METHOD, Found},
    server::Place,
    settings::HttpSettings,
    socket::Turn,
};

/// Where a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) is_api: bool,
}

/// What every request needs.
pub(crate) struct App {
    pub(crate) koor: Koor,
    pub(crate) settings: HttpSettings,
    pub(crate) meters: Meters,
    pub(crate) room: Room,
    pub(crate) connections: Connections,
    assets: Assets,
    mounts: Vec<Mount>,
    doors: Vec<Door>,
    gate: Gate,
    ids: RequestIds,
}

/// What is known of a request when it is answered.
struct Passed {
    place: prometheus::Place,
    caller: Option<Caller>,
    warning: Option<String>,
    /// As what the call counts, if it does.
    plane: Option<Plane>,
    /// Whether the origin may read the answer.
    admitted: bool,
}

impl App {
    pub(crate) fn new(
        koor: Koor,
        settings: HttpSettings,
        assets: Assets,
        mounts: Vec<Mount>,
        doors: Vec<Door>,
    ) -> Self {
        let guarded = koor.settings().server_token.is_some();
        let addresses = doors.iter().map(|door| door.address);
        let gate = Gate::new(&settings.allow_origins, &settings.allow_hosts, addresses, guarded);
        let connections = Connections::new(settings.max_connections);
        let ids = RequestIds::new(koor.now().millis().unsigned_abs());
        Self {
            koor,
            settings,
            meters: Meters::default(),
            room: Room::default(),
            connections,
            assets,
            mounts,
            doors,
            gate,
            ids,
        }
    }

    /// Where the API and the dashboard are, as `GET /api/metrics` says it.
    pub(crate) fn binds(&self) -> (String, String) {
        let bind = |configured: &str, is_api: bool| {
            if !configured.is_empty() {
                return configured.to_owned();
            }
            let doors = self.doors.iter().filter(|door| door.is_api == is_api);
            doors.map(|door| door.address.to_string()).collect::<Vec<_>>().join(",")
        };
        (bind(&self.settings.api_bind, true), bind(&self.settings.dashboard_bind, false))
    }

    /// Answers a request, whatever it is.
    pub(crate) async fn answer(place: Arc<Place>, request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let app = &*place.app;
        place.begin_answer();
        let (head, body) = request.into_parts();
        let asked = Asked::of(&head);
        let request_id = app.ids.of(&head.headers);
        let mut passed = Passed {
            place: prometheus::Place::Nowhere,
            caller: None,
            warning: None,
            plane: None,
            admitted: false,
        };
        let mut answer = match app.pass(head, body, &place, &mut passed).await {
            Ok(answer) => answer,
            Err(failure) => failure.render(&request_id),
        };
        response::pack(&asked.headers, &mut answer).await;
        if asked.method == Method::HEAD {
            answer = response::without_body(answer);
        }
        let headers = answer.headers_mut();
        origin::add_policy(headers);
        if passed.admitted {
            origin::add_cors(&asked.headers, headers);
        }
        if let Some(warning) = passed.warning.and_then(|warning| HeaderValue::try_from(warning).ok()) {
            headers.insert(X_KOOR_WARNING, warning);
        }
        let took = begun.elapsed();
        let status = answer.status();
        app.meters.count(passed.place, status, took);
        log::line(&asked.method, asked.path(), status, took, &request_id, passed.caller.as_ref());
        answer.headers_mut().insert(X_REQUEST_ID, request_id);
        app.count(&mut answer, passed.caller, passed.plane, &place.turn);
        answer
    }

    /// The answer to a request of which nothing can be known, because its head can't be read.
    pub(crate) fn refuse_unread(&self, status: StatusCode) -> Vec<u8> {
        let request_id = self.ids.next();
        self.meters.count(prometheus::Place::Nowhere, status, Duration::ZERO);
        log::unread(status, &request_id);
        Failure::Unread(status).write(&request_id)
    }

    /// Counts a call when all of it is answered, and gives the client its turn.
    fn count(&self, answer: &mut Answer, caller: Option<Caller>, plane: Option<Plane>, turn: &Turn) {
        // A WebSocket is counted when it ends, and is nobody's turn.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let called_by = match plane {
            Some(Plane::Mcp) => answer.extensions_mut().remove().map(|CalledBy(caller)| caller),
            Some(Plane::Rest) | None => caller,
        };
        let length = answer.body().size_hint().exact().unwrap_or(0);
        match answer.body_mut().tally() {
            None => {
                note(&self.koor, plane, called_by.as_ref(), length);
                turn.to_client();
            }
            Some(tally) => {
                let (koor, turn) = (self.koor.clone(), turn.clone());
                tally.then(move |Sent { bytes, cut }| {
                    note(&koor, plane, called_by.as_ref(), bytes);
                    if cut { turn.break_off() } else { turn.to_client() }
                });
            }
        }
    }

    /// Lets a request pass through all that comes before a route, and through the route.
    async fn pass(
        &self,
        head: Parts,
        mut body: Incoming,
        place: &Arc<Place>,
        passed: &mut Passed,
    ) -> Result<Answer, Failure> {
        let way = match self.find_way(&head, place, passed).await {
            Ok(way) => way,
            Err(failure) => {
                drop_body(&head.headers, &mut body).await;
                return Err(failure);
            }
        };
        match way {
            Way::Answered(answer) => Ok(answer),
            Way::Asset => {
                passed.place = prometheus::Place::Asset;
                crate::assets::answer(&self.assets, &head)
            }
            Way::Mount(mount, caller) => self.call_mount(mount, caller, head, body, place.peer).await,
            Way::Route(route, params, caller) => {
                let counted = passed.plane.is_some();
                let place = Arc::clone(place);
                let call = Call { caller, head, body, params, place, counted, claim: None };
                (route.handler)(call).await
            }
        }
    }

    async fn find_way(&self, head: &Parts, place: &Place, passed: &mut Passed) -> Result<Way<'_>, Failure> {
        let door = place.door;
        let path = head.uri.path();
        let opens_page = || {
            // A dashboard may answer every path with its first page: what a route takes is none of it.
            let reads = matches!(head.method, Method::GET | Method::HEAD);
            reads
                && is_asset(door, path, &router::find(&head.method, path))
                && self.assets.find(path).is_some()
        };
        self.gate.check(door.address.ip(), &head.uri, &head.headers, opens_page)?;
        passed.admitted = true;
        if head.method == Method::OPTIONS {
            return self.options(head, door).map(Way::Answered);
        }
        if let Some(mount) = self.mounts.iter().find(|mount| door.is_api && mount.covers(path)) {
            passed.place = prometheus::Place::Mounted;
            let caller = self.identify(head, false, place, passed).await?;
            passed.plane = Some(Plane::Mcp);
            return Ok(Way::Mount(mount, caller));
        }
        let (number, route, params) = match router::find(&head.method, path) {
            Found::Route(number, route, params) => (number, route, params),
            Found::OtherMethods(allow) => return Err(Failure::WrongMethod(allow)),
            found @ Found::Nothing if is_asset(door, path, &found) => return Ok(Way::Asset),
            Found::Nothing => return Err(Failure::NoRoute(path.to_owned())),
        };
        passed.place = prometheus::Place::Route(number);
        if route.access == crate::table::Access::Open {
            return Ok(Way::Route(route, params, Caller::local()));
        }
        let caller = self.identify(head, route.token_in_query, place, passed).await?;
        passed.plane = (door.is_api && route.counted).then_some(Plane::Rest);
        Ok(Way::Route(route, params, caller))
    }

    async fn identify(
        &self,
        head: &Parts,
        in_query: bool,
        place: &Place,
        passed: &mut Passed,
    ) -> Result<Caller, Failure> {
        let query = Query(head.uri.query().unwrap_or_default());
        let Identified { caller, warning } =
            auth::identify(&self.koor, &head.headers, query, in_query).await?;
        place.know();
        passed.caller = Some(caller.clone());
        passed.warning = warning;
        Ok(caller)
    }

    /// Says what may be asked of a path.
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

    /// Hands a request to a mounted service, with its body and its caller.
    async fn call_mount(
        &self,
        mount: &Mount,
        caller: Caller,
        mut head: Parts,
        mut body: Incoming,
        peer: Option<SocketAddr>,
    ) -> Result<Answer, Failure> {
        let within: Duration = self.settings.body_timeout;
        let (body, _claim) =
            read_all(&head.headers, &mut body, self.settings.max_body, within, &self.room).await?;
        head.extensions.insert(caller);
        if let Some(peer) = peer {
            head.extensions.insert(peer);
        }
        let answer = mount.call(Request::from_parts(head, Full::new(body))).await;
        Ok(answer.map(|body| Body::Mounted(body, Tally::none())))
    }
}

/// Whether a path that was looked for among the routes is left to the dashboard.
fn is_asset(door: Door, path: &str, found: &Found) -> bool {
    matches!(found, Found::Nothing) && !door.is_api && !path.starts_with("/api/")
}

/// Counts what was answered: a call on somebody's behalf, or bytes alone.
fn note(koor: &Koor, plane: Option<Plane>, called_by: Option<&Caller>, bytes: u64) {
    match (plane, called_by) {
        (Some(plane), Some(caller)) => koor.count_call(caller, plane, bytes),
        (Some(plane), None) => koor.count_bytes(plane, bytes),
        (None, _) => {}
    }
}

/// Where a request goes.
enum Way<'a> {
    Answered(Answer),
    Asset,
    Mount(&'a Mount, Caller),
    Route(&'static crate::table::Route, router::Params, Caller),
}

/// What of a request is still needed when it is answered.
struct Asked {
    method: Method,
    uri: hyper::Uri,
    headers: HeaderMap,
}

impl Asked {
    fn of(head: &Parts) -> Self {
        use hyper::header::{ACCEPT_ENCODING, ORIGIN};
        let mut headers = HeaderMap::new();
        for name in [ACCEPT_ENCODING, ORIGIN] {
            for value in head.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self { method: head.method.clone(), uri: head.uri.clone(), headers }
    }

    fn path(&self) -> &str {
        self.uri.path()
    }
}
