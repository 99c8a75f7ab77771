//! The admin API: HTTP and JSON, one handler a path, all made of [`Handle`]'s calls.
//!
//! | path | |
//! |---|---|
//! | `GET /status`, `/nodes`, `/events?after=N`, `/settings` | see [`api`] |
//! | `GET /sessions` (`?pinned=true&limit=N`) | who is there, and what pins whom |
//! | `POST /nodes/{node}/enable`, `disable`, `drain`, `promote` (`?cause=WORDS`) | 202 when taken |
//! | `POST /scale/out`, `/scale/in` (`?node=NAME&cause=WORDS`) | 202 when taken |
//! | `GET`, `PUT /strategy`; `GET`, `PUT /elastic` | settings that may change |
//! | `POST /tls/reload` | certificates are read again |
//! | `GET /events/stream` (`?after=N`) | events as they happen (server-sent events) |
//! | `GET /openapi.json` | all this, for programs |
//! | `GET /metrics` | Prometheus text |
//! | `GET /health/live`, `/health/ready` | 200 or 503 |

pub mod api;
pub mod door;
pub mod guard;
pub mod metrics;
pub mod page;
mod stream;
#[cfg(test)]
mod tests;

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cluster::NodeId;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::api::{Problem, StrategyBody, Taken};
use self::door::Door;
use self::guard::Token;
use crate::config::Elastic;
use crate::control::{Handle, Refusal};
use crate::request::Action;
use crate::view::Strategy;

/// What an operator's requests are caused by, in the events, where they say nothing else.
const CAUSE: &str = "admin API";
/// A cause that is told may be so long.
const CAUSE_LONGEST: usize = 64;

/// A request's body may be so long, in bytes; the longest that makes sense has a few hundred.
pub const BODY: usize = 16 << 10;
/// Sessions that are told at once at most.
const SESSIONS: usize = 10_000;
/// Requests under way when everything is stopped may take so much longer.
const FAREWELL: Duration = Duration::from_millis(500);

/// The type of Prometheus text.
const METRICS_TYPE: &str = "text/plain; version=0.0.4";

/// Serves until it is stopped.
pub async fn serve(listener: TcpListener, handle: Handle, token: Option<Token>, stop: CancellationToken) {
    attend(listener, router(handle, token), stop).await;
}

/// Answers whoever comes through the door.
async fn attend(listener: TcpListener, router: Router, stop: CancellationToken) {
    let served = axum::serve(Door::new(listener), router);
    let served = served.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    let patience = async {
        stop.cancelled().await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        result = served => {
            if let Err(error) = result {
                tracing::error!(%error, "an HTTP server ended");
            }
        }
        () = patience => {}
    }
}

/// The description of the API for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// All paths. With a token only those who have it are let in.
pub fn router(handle: Handle, token: Option<Token>) -> Router {
    let router = routes().with_state(handle);
    match token {
        Some(token) => router.layer(from_fn_with_state(Arc::new(token), guard::check)),
        None => router,
    }
}

fn routes() -> Router<Handle> {
    Router::new()
        .route("/status", get(async |State(handle): State<Handle>| Json(handle.status())))
        .route("/nodes", get(async |State(handle): State<Handle>| Json(handle.nodes())))
        .route("/settings", get(async |State(handle): State<Handle>| Json(handle.settings())))
        .route("/events", get(events))
        .route("/events/stream", get(stream::events))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI)))
        .route("/sessions", get(sessions))
        .route("/nodes/{node}/{action}", post(act))
        .route("/scale/{direction}", post(scale))
        .route("/strategy", get(strategy).put(set_strategy))
        .route("/elastic", get(async |State(handle): State<Handle>| Json(handle.elastic())).put(set_elastic))
        .route("/tls/reload", post(reload_certificates))
        .route("/metrics", get(metrics_text))
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is no such path", PATHS))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method", PATHS)
        })
        .layer(DefaultBodyLimit::max(BODY))
}

const PATHS: [&str; 16] = [
    "GET /status",
    "GET /nodes",
    "GET /events?after=N",
    "GET /events/stream?after=N",
    "GET /openapi.json",
    "GET /settings",
    "GET /sessions?pinned={true|false}&limit=N",
    "POST /nodes/{node}/{enable|disable|drain|promote}",
    "POST /scale/{out|in}",
    "GET /strategy",
    "PUT /strategy",
    "GET /elastic",
    "PUT /elastic",
    "POST /tls/reload",
    "GET /metrics",
    "GET /health/{live|ready}",
];

fn problem<S: Into<String>>(
    status: StatusCode,
    error: impl Into<String>,
    allowed: impl IntoIterator<Item = S>,
) -> Response {
    let allowed = allowed.into_iter().map(Into::into).collect();
    (status, Json(Problem { error: error.into(), allowed })).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = self.to_string();
        match self {
            Self::UnknownNode { allowed, .. } => problem(StatusCode::NOT_FOUND, error, allowed),
            Self::NotNow(_) => problem(StatusCode::CONFLICT, error, NOTHING),
            Self::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, error, NOTHING),
            Self::Setting(_) | Self::Certificates(_) => {
                problem(StatusCode::UNPROCESSABLE_ENTITY, error, NOTHING)
            }
        }
    }
}

const NOTHING: [&str; 0] = [];

fn taken(handle: &Handle, action: Action, cause: &str) -> Result<Response, Refusal> {
    let words = format!("{action:?}");
    handle.ask(action, cause)?;
    Ok((StatusCode::ACCEPTED, Json(Taken { taken: words })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn events(State(handle): State<Handle>, query: Result<Query<After>, QueryRejection>) -> Response {
    match query {
        Ok(Query(After { after })) => Json(handle.events_after(after)).into_response(),
        Err(error) => {
            problem(StatusCode::BAD_REQUEST, error.body_text(), ["after=<number of the last event seen>"])
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhichSessions {
    #[serde(default)]
    pinned: bool,
    limit: Option<usize>,
}

async fn sessions(
    State(handle): State<Handle>,
    query: Result<Query<WhichSessions>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(which)) => {
            let limit = which.limit.unwrap_or(SESSIONS).min(SESSIONS);
            Json(handle.sessions(which.pinned, limit).await).into_response()
        }
        Err(error) => {
            let allowed = ["pinned=true", "pinned=false", "limit=<at most 10000>"];
            problem(StatusCode::BAD_REQUEST, error.body_text(), allowed)
        }
    }
}

/// What is said of a request beside its path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    cause: Option<String>,
}

/// What the events will give as the cause; nothing: what was told is not a word or a few.
fn cause(told: Option<String>) -> Option<String> {
    let Some(told) = told else { return Some(CAUSE.to_owned()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_.:/#".contains(c);
    let sound = (1..=CAUSE_LONGEST).contains(&told.len()) && told.chars().all(plain);
    sound.then_some(told)
}

fn no_cause() -> Response {
    problem(StatusCode::BAD_REQUEST, "this is no cause", [ALLOWED_CAUSE])
}

const ALLOWED_CAUSE: &str = "cause=<1 to 64 letters, digits, blanks or -_.:/#>";

async fn act(
    State(handle): State<Handle>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Said>, QueryRejection>,
) -> Response {
    let (node, action) = match path {
        Ok(Path(path)) => path,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error.body_text(), PATHS),
    };
    let cause = match query.map(|Query(said)| cause(said.cause)) {
        Ok(Some(cause)) => cause,
        Ok(None) => return no_cause(),
        Err(error) => return problem(StatusCode::BAD_REQUEST, error.body_text(), [ALLOWED_CAUSE]),
    };
    let node = NodeId::new(node);
    let action = match action.as_str() {
        "enable" => Action::Enable(node),
        "disable" => Action::Disable(node),
        "drain" => Action::Drain(node),
        "promote" => Action::Switchover(node),
        other => {
            let error = format!("a node cannot be asked to `{other}`");
            return problem(StatusCode::NOT_FOUND, error, ["enable", "disable", "drain", "promote"]);
        }
    };
    taken(&handle, action, &cause).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    node: Option<String>,
    cause: Option<String>,
}

async fn scale(
    State(handle): State<Handle>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Which>, QueryRejection>,
) -> Response {
    let direction = match path {
        Ok(Path(direction)) => direction,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error.body_text(), PATHS),
    };
    let (node, cause) = match query.map(|Query(which)| (which.node, cause(which.cause))) {
        Ok((node, Some(cause))) => (node.map(NodeId::new), cause),
        Ok((_, None)) => return no_cause(),
        Err(error) => {
            let allowed = ["node=<name of a node>", ALLOWED_CAUSE];
            return problem(StatusCode::BAD_REQUEST, error.body_text(), allowed);
        }
    };
    let action = match direction.as_str() {
        "out" => Action::ScaleOut(node),
        "in" => Action::ScaleIn(node),
        other => {
            return problem(StatusCode::NOT_FOUND, format!("there is no direction `{other}`"), ["out", "in"]);
        }
    };
    taken(&handle, action, &cause).into_response()
}

async fn strategy(State(handle): State<Handle>) -> Json<StrategyBody> {
    Json(StrategyBody { strategy: handle.settings().strategy })
}

async fn set_strategy(
    State(handle): State<Handle>,
    body: Result<Json<StrategyBody>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(body)) => match handle.set_strategy(body.strategy) {
            Ok(()) => Json(body).into_response(),
            Err(refusal) => refusal.into_response(),
        },
        Err(error) => problem(error.status(), error.body_text(), Strategy::ALL.map(Strategy::as_str)),
    }
}

async fn set_elastic(State(handle): State<Handle>, body: Result<Json<Elastic>, JsonRejection>) -> Response {
    match body {
        Ok(Json(elastic)) => match handle.set_elastic(elastic) {
            Ok(()) => Json(handle.elastic()).into_response(),
            Err(refusal) => refusal.into_response(),
        },
        Err(error) => problem(error.status(), error.body_text(), elastic_keys()),
    }
}

/// The settings there are, by their names.
fn elastic_keys() -> Vec<String> {
    match serde_json::to_value(Elastic::default()) {
        Ok(serde_json::Value::Object(keys)) => keys.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}

async fn reload_certificates(State(handle): State<Handle>) -> Response {
    match handle.reload_certificates(CAUSE) {
        Ok(()) => Json(Taken { taken: "new connections use the certificates that were read".to_owned() })
            .into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn metrics_text(State(handle): State<Handle>) -> Response {
    let sessions = handle.sessions(false, 0).await;
    let text = metrics::text(&handle.status(), &handle.nodes(), &sessions);
    ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

async fn ready(State(handle): State<Handle>) -> Response {
    match handle.status().primary {
        Some(_) => "ready\n".into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no node takes writes\n").into_response(),
    }
}
