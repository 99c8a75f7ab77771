//! Events as they happen, as server-sent events: `id` is the event's number, `event` its kind, `data` the same object that
//! `GET /events` lists. A reader that lost its connection goes on where it was by `Last-Event-ID`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};

use super::api::EventRow;
use super::{After, problem};
use crate::control::Handle;

/// A comment is sent when nothing happens for so long: a silent connection would be cut.
const ALIVE: Duration = Duration::from_secs(2);

/// `GET /events/stream`.
pub async fn events(
    State(handle): State<Handle>,
    headers: HeaderMap,
    query: Result<Query<After>, QueryRejection>,
) -> Response {
    let after = match query {
        Ok(Query(After { after })) => after,
        Err(error) => {
            let allowed = ["after=<number of the last event seen>"];
            return problem(StatusCode::BAD_REQUEST, error.body_text(), allowed);
        }
    };
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let stream = Sse::new(follow(handle, seen.unwrap_or(after)));
    stream.keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

fn follow(handle: Handle, after: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((handle, after, VecDeque::new()), |(handle, mut after, mut ready)| async move {
        loop {
            if let Some(row) = ready.pop_front() {
                return Some((Ok(event(&row)), (handle, after, ready)));
            }
            let log = handle.events().clone();
            let mut grown = Box::pin(log.grown());
            // From here on none is missed, also one that comes before the wait.
            grown.as_mut().enable();
            ready.extend(handle.events_after(after));
            match ready.back() {
                Some(last) => after = last.sequence,
                None => grown.await,
            }
        }
    })
}

fn event(row: &EventRow) -> Event {
    let data = serde_json::to_string(row).unwrap_or_default();
    Event::default().id(row.sequence.to_string()).event(row.kind.name()).data(data)
}
