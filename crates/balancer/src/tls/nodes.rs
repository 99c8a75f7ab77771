//! How nodes are reached: what of their certificates is looked at.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::{TlsError, files};
use crate::config::NodesTls;
use crate::config::tls::{TlsMode, Verify};

/// What the settings make of it; `None`: no TLS.
pub(super) fn config(settings: &NodesTls) -> Result<Option<ClientConfig>, TlsError> {
    if settings.mode == TlsMode::Off {
        return Ok(None);
    }
    let unfit = |key| move |source| TlsError::Unfit { key, source };
    let provider = Arc::new(default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let signers = match (&settings.ca, settings.verify) {
        (_, Verify::None) | (None, _) => None,
        (Some(path), _) => {
            let roots = Arc::new(files::roots(path)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            let broken = |error: rustls::client::VerifierBuilderError| error.to_string();
            Some(verifier.map_err(|error| TlsError::File { path: path.clone(), problem: broken(error) })?)
        }
    };
    let verifier = Verifier { signers, identity: settings.verify == Verify::Identity, algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit("nodes_tls"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(files::chain(certificate)?, files::key(key)?)
            .map_err(unfit("nodes_tls.certificate"))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(config))
}

/// Looks at a node's certificate as far as the settings ask for it. That the node holds the certificate's key is proven in
/// any case.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate will do.
    signers: Option<Arc<WebPkiServerVerifier>>,
    identity: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(signers) = &self.signers else { return Ok(ServerCertVerified::assertion()) };
        let verified = signers.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // The name is looked at last: all else is in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.identity => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
