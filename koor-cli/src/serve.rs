//! `koor serve`: puts the server together, runs it, and ends it in order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use koor_core::{Jobs, Koor, Settings, ports::Store};
use koor_http::{
    Asset, Assets, HttpSettings, Listeners, MountAnswer, Server,
    outbound::{OutboundClient, OutboundPolicy},
};
use koor_mcp::{Answer, Guide, Mcp};
use tokio::{runtime, sync::watch};

use crate::{
    exit::Failure,
    listen::Bound,
    log, open_files,
    settings::serve::{ServeFlags, ServeSettings, Sources, StoreAddress},
    signals::Signals,
    store,
    systemd::{self, Inherited, Notice},
};

/// How long threads that wait for the machine, such as for a name to resolve, may hold up the end.
const LAST_THREADS: Duration = Duration::from_millis(200);

/// Signals this close together are one request to end: some supervisors send theirs to the process and to its group.
const ONE_REQUEST: Duration = Duration::from_millis(100);

/// Runs the server until it is told to end.
///
/// # Errors
/// When it is set up wrongly, or something stands in its way.
pub(crate) fn run(args: ServeFlags) -> Result<(), Failure> {
    let settings = ServeSettings::resolve(args, &|name| std::env::var(name).ok())?;
    let _log = log::start(settings.log_level, settings.log_format)?;
    open_files::raise_limit();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start the threads: {error}")))?;
    let done = runtime.block_on(serve(settings));
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

async fn serve(settings: ServeSettings) -> Result<(), Failure> {
    // First: a signal that comes while the database is being opened must not kill that half-way.
    let mut signals = Signals::listen()?;
    let (api, dashboard) = sockets(&settings)?;
    refuse_strangers(&settings, [&api, &dashboard])?;
    let store = store::open(&settings.store, &settings.data_dir, settings.durability).await?;
    let koor = open_core(&settings, store).await?;
    let line = Start {
        api: api.urls(),
        dashboard: dashboard.urls(),
        place: Place::of(&settings),
        sources: settings.sources.clone(),
    };
    let server = server(settings, koor.clone(), api, dashboard)?;
    let jobs = Jobs::start(&koor);

    let (stop, mut stopping) = watch::channel(());
    let stopped = async {
        // The sender lives as long as this function.
        drop(stopping.changed().await);
    };
    let ending = async {
        let signal = signals.next().await;
        tracing::info!(signal, "stopping: requests in flight are finished");
        systemd::notify(Notice::Stopping);
        tokio::spawn(exit_at_the_next(signals));
        stop.send_replace(());
        jobs.stop().await;
        Ok(())
    };
    line.log();
    systemd::notify(Notice::Ready);
    let ran = tokio::try_join!(server.run(stopped), ending);
    koor.close().await;
    ran.map_err(|error| Failure::caused_by(&error))?;
    tracing::info!("stopped");
    Ok(())
}

/// The sockets of the API and of the dashboard: those that were opened for us, and for whichever got none, our own.
fn sockets(settings: &ServeSettings) -> Result<(Bound, Bound), Failure> {
    let Inherited { api, dashboard } = systemd::inherited()?;
    let api = if api.is_empty() { settings.bind.bind()? } else { Bound::inherited(api) };
    let dashboard = match &settings.dashboard_bind {
        _ if !dashboard.is_empty() => Bound::inherited(dashboard),
        Some(place) => place.bind()?,
        None => Bound::off(),
    };
    Ok((api, dashboard))
}

/// Lets no other machine reach a server without a token, unless that was asked for.
fn refuse_strangers(settings: &ServeSettings, bound: [&Bound; 2]) -> Result<(), Failure> {
    let Some(public) = bound.into_iter().find(|bound| bound.is_public()) else { return Ok(()) };
    if settings.auth_token.is_some() {
        return Ok(());
    }
    if !settings.insecure {
        return Err(Failure::usage(format_args!(
            "refusing to listen on {} without a token: anyone who reaches it could do everything. Set a token with \
             --auth-token-file, --auth-token or KOOR_AUTH_TOKEN, listen on localhost, or accept that with --insecure",
            public.written
        )));
    }
    tracing::warn!(
        "other machines can reach this server and it asks for no token: anyone may do everything. Set one with \
         --auth-token-file, --auth-token or KOOR_AUTH_TOKEN"
    );
    Ok(())
}

async fn open_core(settings: &ServeSettings, store: Arc<dyn Store>) -> Result<Koor, Failure> {
    let policy = if settings.auth_token.is_some() {
        OutboundPolicy::guarded(settings.allow_outbound.clone())
    } else {
        OutboundPolicy::local()
    };
    let sender = OutboundClient::new(policy).map_err(|error| Failure::caused_by(&error))?;
    let core = Settings {
        server_token: settings.auth_token.clone(),
        event_retention: settings.event_retention,
        change_retention: settings.change_retention,
        history_limit: settings.history_limit,
        stale_after: settings.stale_after,
        task_lease: settings.task_lease,
        path_lease: settings.path_lease,
        message_retention: settings.message_retention,
        compliance_every: settings.compliance_every,
        prices: settings.prices.clone(),
        ..Settings::default()
    };
    Koor::on_shared(store)
        .sender(sender)
        .settings(core)
        .open()
        .await
        .map_err(|error| Failure::caused_by(&error))
}

fn server(settings: ServeSettings, koor: Koor, api: Bound, dashboard: Bound) -> Result<Server, Failure> {
    let base = api.urls().split(',').next().unwrap_or_default().to_owned();
    let http = HttpSettings {
        max_body: settings.max_body,
        allow_origins: settings.allow_origin,
        allow_hosts: settings.allow_host,
        api_bind: api.written,
        dashboard_bind: dashboard.written,
        ..HttpSettings::default()
    };
    let listeners = Listeners { api: api.listeners, dashboard: dashboard.listeners };
    let files = Assets::new(|path| {
        koor_dashboard::file(path)
            .map(|file| Asset { content_type: file.content_type.into(), body: file.bytes })
    });
    let server = Server::new(koor.clone(), http, listeners).map_err(|error| Failure::caused_by(&error))?;
    let mcp = Mcp::new(koor, guide(base));
    Ok(server.assets(files).mount("/mcp", move |request| {
        let mcp = mcp.clone();
        Box::pin(async move {
            let Answer { response, called_by } = mcp.answer(request).await;
            let response = response.map(|body| body.map_err(|never| match never {}).boxed_unsync());
            MountAnswer { response, called_by }
        })
    }))
}

/// What `get_endpoints` says.
fn guide(api_base: String) -> Guide {
    let routes = koor_http::endpoints().into_iter();
    let endpoints = routes.map(|route| (route.name, format!("{} {}", route.method, route.path))).collect();
    Guide { endpoints, api_base }
}

/// Where the data is.
enum Place {
    Directory(String),
    Database(String),
}

impl Place {
    fn of(settings: &ServeSettings) -> Self {
        match &settings.store {
            StoreAddress::DataDirectory => Self::Directory(settings.data_dir.display().to_string()),
            StoreAddress::Sqlite(directory) => Self::Directory(directory.display().to_string()),
            #[cfg(feature = "postgres")]
            StoreAddress::Postgres(url) => Self::Database(url.to_string()),
        }
    }
}

/// The line that says where the server listens.
struct Start {
    api: String,
    dashboard: String,
    place: Place,
    sources: Sources,
}

impl Start {
    fn log(&self) {
        let files: Vec<String> = self.sources.files.iter().map(|path| path.display().to_string()).collect();
        let listed = |list: &[String]| Some(list.join("; ")).filter(|text| !text.is_empty());
        let (read, opened) = (listed(&files), listed(&self.sources.opened));
        let (data_dir, store) = match &self.place {
            Place::Directory(path) => (Some(tracing::field::display(path)), None),
            Place::Database(url) => (None, Some(tracing::field::display(url))),
        };
        tracing::info!(
            target: log::START,
            api = %self.api,
            dashboard = %self.dashboard,
            data_dir,
            store,
            version = env!("CARGO_PKG_VERSION"),
            read = read.as_deref(),
            opened = opened.as_deref(),
            "listening"
        );
    }
}

/// A second signal exits at once. Everything that was answered is on disk.
async fn exit_at_the_next(mut signals: Signals) {
    let first = Instant::now();
    let mut signal = signals.next().await;
    while first.elapsed() < ONE_REQUEST {
        signal = signals.next().await;
    }
    tracing::warn!(signal, "asked twice: ending at once");
    log::flush();
    // What a shell makes of a program that SIGINT, or SIGTERM, ended.
    std::process::exit(if signal == "SIGTERM" { 143 } else { 130 });
}
