//! How many files, and with them connections, this process may have open.

/// Raises the limit as far as the system lets this process: a shell's usual one, 1024 or 256, is soon used up by
/// agents that keep their connections, and is that low for the sake of programs that count files with `select`.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// What macOS takes at most from a process whose hard limit is none at all.
    const WHERE_ENDLESS_IS_REFUSED: u64 = 10_240;

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let Some(now) = current else { return };
    let higher = [maximum, Some(WHERE_ENDLESS_IS_REFUSED)];
    let mut higher = higher.into_iter().filter(|limit| limit.is_none_or(|limit| limit > now)).peekable();
    if higher.peek().is_none() {
        return;
    }
    let raised = higher.find(|limit| {
        let wanted = Rlimit { current: *limit, maximum };
        setrlimit(Resource::Nofile, wanted).is_ok()
    });
    if let Some(limit) = raised {
        tracing::debug!(from = now, to = limit, "raised the limit of open files");
    } else {
        tracing::warn!(limit = now, "cannot raise the limit of open files");
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}
