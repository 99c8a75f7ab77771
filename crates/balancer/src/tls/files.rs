//! PEM files: certificates, private keys, who may sign.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// Which files there are and when they were changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<(SystemTime, u64)>>);

impl Stamp {
    /// Of these files as they are now.
    pub fn of<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Self {
        let one = |path: &PathBuf| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        };
        Self(files.map(one).collect())
    }
}

fn unfit(path: &Path, what: &str) -> impl Fn(Error) -> TlsError {
    move |error| {
        let problem = match error {
            Error::Io(error) => format!("cannot be read: {error}"),
            Error::NoItemsFound => format!("holds no {what} in PEM"),
            error => format!("holds no {what} that can be understood: {error:?}"),
        };
        TlsError::File { path: path.to_owned(), problem }
    }
}

/// The certificates in a file, in order; at least one.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unfit = unfit(path, "certificate");
    let found = CertificateDer::pem_file_iter(path).map_err(&unfit)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(&unfit)?;
    if found.is_empty() { Err(unfit(Error::NoItemsFound)) } else { Ok(found) }
}

/// The private key in a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(unfit(path, "private key"))
}

/// Those whose signature counts.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::File { path: path.to_owned(), problem: error.to_string() })?;
    }
    Ok(roots)
}
