//! The pair of RSA keys for passwords on unencrypted connections, and the threads that may be busy with them.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::known::Known;
use crate::config::ConfigError;
use crate::wire::auth::rsa::{KeyError, KeyPair};

/// Passwords that are worked on at a time, over all threads: each takes milliseconds of a processor, and anybody can ask
/// for it without an account.
const AT_A_TIME: usize = 4;

/// The keys, and a limit to slow work.
#[derive(Debug)]
pub struct Keys {
    pair: OnceCell<Arc<KeyPair>>,
    slow: Semaphore,
}

impl Keys {
    /// The key of a file; without one, a key is made the first time it is needed.
    pub fn new(file: Option<&Path>) -> Result<Self, ConfigError> {
        let fail = |problem: String| ConfigError { key: "auth.rsa_key_file".to_owned(), problem };
        let pair = file
            .map(|path| {
                let text = std::fs::read_to_string(path).map(Zeroizing::new);
                let text = text.map_err(|error| fail(format!("{}: {error}", path.display())))?;
                KeyPair::read(&text).map_err(|error| fail(format!("{}: {error}", path.display())))
            })
            .transpose()?;
        Ok(Self { pair: OnceCell::new_with(pair.map(Arc::new)), slow: Semaphore::new(AT_A_TIME) })
    }

    /// The pair, made now if there is none yet.
    pub async fn pair(&self) -> Result<Arc<KeyPair>, KeyError> {
        let make = || async {
            let made = spawn_blocking(KeyPair::generate).await;
            made.map_err(|error| KeyError::Failed(error.to_string()))?.map(Arc::new)
        };
        self.pair.get_or_try_init(make).await.cloned()
    }

    /// The password in what a client sent.
    pub async fn open(&self, sealed: Vec<u8>, scramble: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let pair = self.pair().await?;
        let opened = self.slowly(move || pair.open(&sealed, &scramble)).await;
        opened.unwrap_or_else(|| Err(KeyError::Failed("stopped".to_owned())))
    }

    /// Whether this is the account's password.
    pub async fn proven(&self, account: Arc<Known>, password: Zeroizing<Vec<u8>>) -> bool {
        self.slowly(move || account.proven_by(&password)).await.unwrap_or(false)
    }

    /// Runs what takes milliseconds beside the threads that carry statements.
    async fn slowly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _permit = self.slow.acquire().await.ok()?;
        spawn_blocking(work).await.ok()
    }
}
