//! The figures of a run for Prometheus, while it lasts.

use std::net::SocketAddr;
use std::sync::Arc;

use emulator::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, Outcome};

/// A page of figures that is served until it is dropped.
#[derive(Debug)]
pub struct Watched {
    metrics: Arc<Metrics>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Watched {
    /// Begins to serve.
    ///
    /// # Errors
    /// An address that others than this machine can reach: exit code 2. One that cannot be had: exit code 3.
    pub async fn serve(address: SocketAddr) -> Outcome<Self> {
        if !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--metrics {address}: allowed is a loopback address such as 127.0.0.1:0; nobody is asked who they are there"
            )));
        }
        let cannot =
            |error| Failure::surroundings(format!("--metrics {address}: cannot listen there: {error}"));
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let metrics = Arc::new(Metrics::default());
        let shown = metrics.clone();
        let page = balancer::admin::page::serve(listener, move || shown.text(), CancellationToken::new());
        Ok(Self { metrics, address, serving: tokio::spawn(page) })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// What is shown there.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
