//! One page of metrics by itself, behind the same door as the admin API: for a process that has figures of its own to show.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{METRICS_TYPE, attend, problem};

/// Serves `text` as `GET /metrics` until it is stopped; each request asks for it anew.
pub async fn serve<F>(listener: TcpListener, text: F, stop: CancellationToken)
where
    F: Fn() -> String + Clone + Send + Sync + 'static,
{
    attend(listener, router(text), stop).await;
}

fn router<F>(text: F) -> Router
where
    F: Fn() -> String + Clone + Send + Sync + 'static,
{
    let page = move || {
        let text = text();
        async move { ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response() }
    };
    let only = |status, words| async move { problem(status, words, ["GET /metrics"]) };
    Router::new()
        .route("/metrics", get(page))
        .fallback(move || only(StatusCode::NOT_FOUND, "there is no such path"))
        .method_not_allowed_fallback(move || {
            only(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn asked(address: std::net::SocketAddr, line: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    #[tokio::test]
    async fn the_page_is_made_anew_for_each_request_and_ends_when_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, asks) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let text = move || format!("tpcw_asked {}\n", asks.fetch_add(1, Ordering::Relaxed));
        let serving = tokio::spawn(serve(listener, text, stop.clone()));
        let first = asked(address, "GET /metrics").await;
        assert!(first.starts_with("HTTP/1.1 200") && first.contains("text/plain; version=0.0.4"), "{first}");
        assert!(first.ends_with("tpcw_asked 0\n"), "{first}");
        assert!(asked(address, "GET /metrics").await.ends_with("tpcw_asked 1\n"));
        assert!(asked(address, "GET /").await.starts_with("HTTP/1.1 404"));
        assert!(asked(address, "POST /metrics").await.starts_with("HTTP/1.1 405"));
        stop.cancel();
        serving.await.expect("it ends");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
