//! From a prepared folder to a server that answers.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use crate::account::Account;
use crate::error::{Error, OnFile};
use crate::lifetime::Nursery;
use crate::mariadbd::options::NodeFolder;
use crate::mariadbd::process::{NotReady, Process, log_tail, port_was_taken};
use crate::program::ServerProgram;
use crate::provision::port::{Port, Ports};

/// Ports that may turn out to be taken, between our look and the server's, before we give up.
const PORTS_TRIED: usize = 10;
/// Lines of the server's log in messages.
const LOG_LINES: usize = 15;

/// What starting a server needs.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) nursery: &'a Nursery,
    pub(crate) program: &'a ServerProgram,
    pub(crate) folder: &'a NodeFolder,
    /// Its login tells that the server is ready, and ours.
    pub(crate) account: &'a Account,
    pub(crate) limit: Duration,
    /// For messages.
    pub(crate) what: &'a str,
    /// Its writes are to be watched.
    pub(crate) watched: bool,
}

impl Launch<'_> {
    /// Starts it on a free port; `settings` makes the text of `my.cnf` for an address.
    ///
    /// Another process may take a port after it was found free; the server then ends, and another port is tried.
    pub(crate) async fn on_free_port(
        &self,
        ports: &Ports,
        settings: impl Fn(SocketAddr) -> String,
    ) -> Result<(Process, Port), Error> {
        let mut last = None;
        for _ in 0..PORTS_TRIED {
            let port = ports.take()?;
            match self.at(port.address(), &settings(port.address())).await {
                Ok(process) => return Ok((process, port)),
                Err(Error::Start { log, what, reason }) if port_was_taken(&log) => {
                    last = Some(Error::Start { what, reason, log });
                }
                Err(e) => return Err(e),
            }
        }
        Err(last.unwrap_or_else(|| Error::Spec("no port was tried".to_owned())))
    }

    /// Starts it at a certain address and waits until it lets us in.
    pub(crate) async fn at(&self, address: SocketAddr, settings: &str) -> Result<Process, Error> {
        let (file, log) = (self.folder.settings(), self.folder.log());
        fs::write(&file, settings).on("write", &file)?;
        let temporary = self.folder.temporary();
        fs::create_dir_all(&temporary).on("create the folder", &temporary)?;
        // Messages must show this start's lines only.
        let _ = fs::rename(&log, log.with_extension("log.before"));
        let data = self.watched.then(|| self.folder.data());
        let process = Process::start(self.nursery, self.program, &file, &log, data.as_deref()).await?;
        match process.ready(address, self.account, self.limit).await {
            Ok(admin) => {
                admin.close().await;
                Ok(process)
            }
            Err(reason) => Err(self.failed(&reason)),
        }
    }

    fn failed(&self, reason: &NotReady) -> Error {
        let log = log_tail(&self.folder.log(), LOG_LINES);
        Error::Start { what: self.what.to_owned(), reason: reason.to_string(), log }
    }
}
