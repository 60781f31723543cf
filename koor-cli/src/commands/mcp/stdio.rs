//! MCP over stdin and stdout: each line goes to the server, and its answer comes back as a line.

use std::io::{self, BufRead, Read as _, Write as _};

use koor_mcp::stdio::{Bridge, Post};

use crate::{
    context::Context,
    exit::{self, Failure},
};

/// The longest line: what a server takes, and a little more, so that the server is who refuses it.
const LONGEST: u64 = (1 << 20) + 1024;

/// Passes lines on until there are no more.
///
/// # Errors
/// When stdin can't be read, or stdout can't be written.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let mut bridge = Bridge::default();
    let mut lines = io::stdin().lock();
    let mut line = Vec::new();
    while next(&mut lines, &mut line)
        .map_err(|error| Failure::refused(format_args!("cannot read stdin: {error}")))?
    {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match bridge.ask(&line) {
            Ok(post) => pass(context, &mut bridge, &post, &line),
            Err(answer) => Some(answer),
        };
        if let Some(answer) = answer {
            let mut stdout = io::stdout().lock();
            let written = writeln!(stdout, "{answer}").and_then(|()| stdout.flush());
            written.map_err(|error| Failure::output(&error))?;
        }
    }
    Ok(())
}

/// Posts a message. What can't be answered to the client is said on stderr.
fn pass(context: &Context, bridge: &mut Bridge, post: &Post, line: &[u8]) -> Option<String> {
    let mut request = context.client.post("/mcp").bytes(line.to_owned(), "application/json");
    request = request.header("Accept", "application/json, text/event-stream".to_owned());
    for (name, value) in &post.headers {
        request = request.header(name, value.clone());
    }
    let answer = request.send().and_then(|answer| Ok((answer.status(), answer.bytes()?)));
    match answer {
        Ok((status, body)) => bridge.answer(post, status, &body),
        Err(failure) => {
            if let (Some(status), Some(body)) = (failure.status(), failure.answer()) {
                return bridge.answer(post, status, body);
            }
            let why = failure.line_said().unwrap_or("no answer");
            exit::warn(why);
            post.failed(why)
        }
    }
}

/// Reads the next line; `false` when there is none. Of one that is too long, so much is read that it is not taken for
/// whole.
fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    lines.by_ref().take(LONGEST).read_until(b'\n', line)?;
    if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
        lines.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}
