//! How clients are met: TLS 1.2 and 1.3, tickets for a quick return.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::{TlsError, files};
use crate::config::Tls;

/// What the settings make of it; `None`: no TLS. Each has a ticket key of its own, so that whoever was let in by an
/// earlier one has to prove itself again.
pub(super) fn config(settings: &Tls) -> Result<Option<ServerConfig>, TlsError> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else { return Ok(None) };
    let unfit = |key| move |source| TlsError::Unfit { key, source };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unfit("tls"))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(files::roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(
                verifier
                    .map_err(|error| TlsError::File { path: path.clone(), problem: error.to_string() })?,
            )
        }
    };
    let mut config = builder
        .with_single_cert(files::chain(certificate)?, files::key(key)?)
        .map_err(unfit("tls.certificate"))?;
    config.ticketer = Ticketer::new().map_err(unfit("tls"))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Some(config))
}
