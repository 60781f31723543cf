//! What systemd gives a service, and wants to hear of it. Elsewhere, nothing happens.

use std::net::TcpListener;

use crate::exit::Failure;

/// What the service manager is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Notice {
    /// The server answers.
    Ready,
    /// It is about to end.
    Stopping,
}

/// Sockets that were opened for us.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) api: Vec<TcpListener>,
    pub(crate) dashboard: Vec<TcpListener>,
}

#[cfg(unix)]
pub(crate) fn notify(notice: Notice) {
    let state = match notice {
        Notice::Ready => sd_notify::NotifyState::Ready,
        Notice::Stopping => sd_notify::NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

/// Takes over the sockets that systemd opened: those whose `FileDescriptorName=` is `dashboard` are the dashboard's,
/// all others the API's.
///
/// # Errors
/// When one of them is no TCP listener.
#[cfg(unix)]
pub(crate) fn inherited() -> Result<Inherited, Failure> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut given = listenfd::ListenFd::from_env();
    let mut inherited = Inherited::default();
    for index in 0..given.len() {
        let listener = given
            .take_tcp_listener(index)
            .map_err(|error| Failure::refused(format!("a socket that was passed on is no good: {error}")))?;
        let list = match names.next() {
            Some("dashboard") => &mut inherited.dashboard,
            Some(_) | None => &mut inherited.api,
        };
        list.extend(listener);
    }
    Ok(inherited)
}

#[cfg(not(unix))]
pub(crate) fn notify(_: Notice) {}

#[cfg(not(unix))]
pub(crate) fn inherited() -> Result<Inherited, Failure> {
    Ok(Inherited::default())
}
