//! Reads the files again when they have changed or somebody asks for it. Runs in the control plane's runtime.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;

use super::{Certificates, TlsError};
use crate::event::{EventKind, EventLog};

/// How often the files' times are looked at. A change is taken when it is still the same one look later, so that a
/// certificate is not read before its key has been put in its place.
const EVERY: Duration = Duration::from_secs(1);

/// Reads all files again and tells what came of it.
///
/// # Errors
/// The first file that cannot be used; what was read before stays in use.
pub fn reload(certificates: &Certificates, events: &EventLog, cause: &str) -> Result<(), TlsError> {
    match certificates.reload() {
        Ok(()) => events.tell(EventKind::CertificatesReloaded, None, cause, "new connections use them"),
        Err(error) => {
            let detail = format!("the certificates stay as they were: {error}");
            tracing::warn!(cause, detail, "certificates cannot be used");
            events.tell(EventKind::ActionFailed, None, cause, detail);
            return Err(error);
        }
    }
    Ok(())
}

/// Watches the files and SIGHUP, as long as it is polled.
pub async fn run(certificates: Arc<Certificates>, events: Arc<EventLog>) {
    let mut hangup = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the certificates"))
        .ok();
    let mut looks = interval(EVERY);
    let mut used = certificates.stamp();
    let mut last = used.clone();
    loop {
        tokio::select! {
            () = next(&mut hangup) => {
                used = certificates.stamp();
                let _ = reload(&certificates, &events, "SIGHUP");
            }
            _ = looks.tick() => {
                let now = certificates.stamp();
                if now != used && now == last {
                    used = now.clone();
                    let _ = reload(&certificates, &events, "files have changed");
                }
                last = now;
            }
        }
    }
}

/// The next signal; never where there are none to be had.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
