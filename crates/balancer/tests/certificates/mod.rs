//! Certificates for tests, made on the spot.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};

use balancer::config::Tls;
use mysql_async::SslOpts;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// The two in files.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these host names and addresses.
    pub fn sign(&self, names: &[&str]) -> Pair {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "a node or a client");
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// Its own certificate in a file.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.pem"));
        std::fs::write(&path, &self.pem).unwrap();
        path
    }
}

impl Pair {
    pub fn write(&self, folder: &Path, name: &str) -> Files {
        let files = Files {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, &self.certificate).unwrap();
        std::fs::write(&files.key, &self.key).unwrap();
        files
    }
}

/// An authority with what it has signed, in a folder.
pub struct Papers {
    pub folder: tempfile::TempDir,
    pub authority: Authority,
    pub ca: PathBuf,
}

impl Papers {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(&format!("authority of {}", folder.path().display()));
        let ca = authority.write(folder.path(), "ca");
        authority.sign(&["localhost", "127.0.0.1"]).write(folder.path(), "balancer");
        Self { folder, authority, ca }
    }

    /// The balancer's own.
    pub fn tls(&self) -> Tls {
        let file = |name| Some(self.folder.path().join(name));
        Tls { certificate: file("balancer.pem"), key: file("balancer.key"), ..Tls::default() }
    }

    /// What a client trusts.
    pub fn trust(&self) -> SslOpts {
        SslOpts::default().with_root_certs(vec![self.ca.clone().into()]).with_disable_built_in_roots(true)
    }
}
