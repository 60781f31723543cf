//! The brief: what the calling agent has to know now.

use hyper::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, VARY},
};
use std::time::Duration;

use koor_core::{
    domain::briefs::Brief,
    ids::{Cursor, EventId},
    schema::Needs,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::select;

use crate::{
    accept,
    body::Body,
    error::Failure,
    json_body::Object,
    query_value::query,
    request::Call,
    response::{self, Answer, Json},
};

/// The messages that the text of a brief shows, by id, with commas between them.
const X_KOOR_SHOWN: HeaderName = HeaderName::from_static("x-koor-shown");

/// Why no new work should begin.
const X_KOOR_STOP: HeaderName = HeaderName::from_static("x-koor-stop");

query! {
    struct BriefQuery {
        /// With the changes after this cursor; without it, since the last brief.
        since: Option<Cursor>,
        /// Move nothing: not the cursor, and no message counts as shown.
        peek: bool,
        /// Wait until there is something new, at most so long.
        wait: Option<Duration>,
    }
}

pub(crate) async fn get(call: Call, query: BriefQuery) -> Result<Json<Brief>, Failure> {
    let koor = call.koor();
    let BriefQuery { since, peek, wait } = query;
    let (brief, gone) = select! {
        biased;
        brief = koor.brief(&call.caller, since, wait) => (brief?, false),
        () = call.no_use_in_waiting() => (koor.brief(&call.caller, since, None).await?, true),
    };
    let text = wants_text(&call.head.headers).then(|| brief.to_text());
    // A client that is gone has not read the brief: its content must come again.
    if since.is_none() && !peek && !call.is_head() && !gone {
        let shown = match &text {
            Some(text) => text.shown.clone(),
            None => brief.messages.iter().map(|listed| listed.message.id).collect(),
        };
        koor.mark_briefed(&call.caller, brief.cursor, shown).await?;
    }
    let mut answer = match text {
        None => response::json(&brief)?,
        Some(text) => {
            let mut answer = Answer::new(Body::Full(text.text.into()));
            let kind = HeaderValue::from_static("text/plain; charset=utf-8");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            let shown: Vec<String> = text.shown.iter().map(ToString::to_string).collect();
            if !shown.is_empty()
                && let Ok(shown) = HeaderValue::try_from(shown.join(","))
            {
                answer.headers_mut().insert(X_KOOR_SHOWN, shown);
            }
            Json::of(answer)
        }
    };
    answer.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    if brief.is_quiet() {
        // A client whose wait is longer than the server's asks again.
        answer.headers_mut().insert("x-koor-quiet", HeaderValue::from_static("true"));
    }
    if let Some(reason) = brief.stop_reason().and_then(|reason| HeaderValue::try_from(reason).ok()) {
        answer.headers_mut().insert(X_KOOR_STOP, reason);
    }
    response::set_cursor(answer.headers_mut(), brief.cursor);
    Ok(answer)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["cursor"]))]
pub(crate) struct SeenBody {
    cursor: Cursor,
    #[schemars(length(max = 500))]
    messages: Vec<EventId>,
}

/// How far an agent has been briefed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Seen {
    cursor: Cursor,
}

pub(crate) async fn seen(
    call: Call,
    Object(SeenBody { cursor, messages }): Object<SeenBody>,
) -> Result<Json<Seen>, Failure> {
    call.koor().confirm_brief(&call.caller, cursor, messages).await?;
    response::json(&Seen { cursor })
}

/// Whether the client asks for text: of the two kinds there are, the one with the greater weight, or the first.
fn wants_text(headers: &HeaderMap) -> bool {
    let known = accept::listed(headers, &ACCEPT).filter(|(kind, weight)| {
        ["text/plain", "text/*", "application/json"].contains(kind) && *weight > 0.0
    });
    let best = known.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.is_some_and(|(kind, _)| kind != "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_for_those_who_name_it_first() {
        for (accept, expected) in [
            ("text/plain", true),
            ("text/plain; charset=utf-8", true),
            ("*/*", false),
            ("application/json, text/plain", false),
            ("text/html, text/plain, */*", true),
            ("text/plain;q=0.5, application/json", false),
            ("application/json;q=0, text/plain;q=0.1", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_text(&headers), expected, "{accept}");
        }
    }
}
