//! One node of a local cluster: its process over all its lives, and what belongs to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use crate::capacity::Plan;
use crate::capacity::quota::Quota;
use crate::error::Error;
use crate::fault::link::Link;
use crate::mariadbd::datadir;
use crate::mariadbd::launch::Launch;
use crate::mariadbd::options::{NodeFolder, NodeOptions};
use crate::mariadbd::process::Process;
use crate::node::{NodeId, Role};
use crate::provision::accounts_sql;
use crate::provision::local::{LocalNode, Shared, link};
use crate::provision::port::Port;

/// A node. What is done to it takes turns under `acting`; how it is can be seen at any time.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) server_id: u32,
    pub(crate) first_role: Role,
    pub(crate) server: SocketAddr,
    pub(crate) folder: NodeFolder,
    acting: tokio::sync::Mutex<()>,
    life: Mutex<Life>,
    // Below: dropped after the process, which uses them.
    link: Option<(Link, Port)>,
    quota: Quotas,
    _port: Port,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Life {
    process: Option<Arc<Process>>,
    paused: bool,
}

/// The node's own group, if the plan has quotas.
type Quotas = Option<Quota>;

impl Member {
    /// Starts the first life on a folder that has its data.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        id: NodeId,
        server_id: u32,
        first_role: Role,
        folder: NodeFolder,
    ) -> Result<Self, Error> {
        accounts_sql::write(&folder.init_file(), &shared.accounts, &shared.spec.database)?;
        let settings = |address| settings(&shared, &folder, address, server_id, true);
        let started = launch(&shared, &folder, id.as_str()).on_free_port(&shared.ports, settings).await;
        accounts_sql::remove(&folder.init_file())?;
        let (process, port) = started?;
        let server = port.address();
        let quota = quota(&shared, server_id)?;
        if let Some(quota) = &quota {
            quota.add(process.pid())?;
        }
        let link = link(&shared, server_id, server)?;
        let life = Mutex::new(Life { process: Some(Arc::new(process)), paused: false });
        let acting = tokio::sync::Mutex::new(());
        Ok(Self { id, server_id, first_role, server, folder, acting, life, link, quota, _port: port, shared })
    }

    /// The node as it is now.
    pub(crate) fn now(&self) -> LocalNode {
        let (state, pid) = self.state();
        LocalNode {
            id: self.id.clone(),
            server_id: self.server_id,
            first_role: self.first_role,
            address: self.link.as_ref().map_or(self.server, |(link, _)| link.address()),
            server: self.server,
            pid,
            state,
            data_dir: self.folder.data(),
            log: self.folder.log(),
        }
    }

    pub(crate) async fn kill(&self) -> Result<u32, Error> {
        let _turn = self.acting.lock().await;
        let process = self.process("there is nothing to kill")?;
        process.kill().await?;
        *self.life() = Life::default();
        Ok(process.pid())
    }

    pub(crate) async fn restart(&self) -> Result<(), Error> {
        let _turn = self.acting.lock().await;
        self.start_again(false).await
    }

    pub(crate) async fn rebuild(&self) -> Result<(), Error> {
        let _turn = self.acting.lock().await;
        self.end_process().await?;
        datadir::remove(&self.folder.data()).await?;
        datadir::copy(self.shared.source.path(), &self.folder.data()).await?;
        accounts_sql::write(&self.folder.init_file(), &self.shared.accounts, &self.shared.spec.database)?;
        let started = self.start_again(true).await;
        accounts_sql::remove(&self.folder.init_file())?;
        started
    }

    pub(crate) async fn pause(&self) -> Result<u32, Error> {
        let _turn = self.acting.lock().await;
        let process = self.process("there is nothing to pause")?;
        // Noted first: should the wait fail, healing must still let it go on.
        self.life().paused = true;
        process.pause().await?;
        Ok(process.pid())
    }

    pub(crate) async fn resume(&self) -> Result<u32, Error> {
        let _turn = self.acting.lock().await;
        self.go_on()
    }

    pub(crate) async fn heal(&self) -> Result<String, Error> {
        let _turn = self.acting.lock().await;
        match self.state().0 {
            "paused" => self.go_on().map(|pid| format!("process {pid} goes on")),
            "down" => {
                self.start_again(false).await?;
                Ok(format!("started again as process {}", self.state().1.unwrap_or_default()))
            }
            _ => Ok("was well".to_owned()),
        }
    }

    /// Kills the process for good. Its group goes now: the note of it is in a folder that goes next.
    pub(crate) async fn end(&self) -> Result<(), Error> {
        let _turn = self.acting.lock().await;
        let ended = self.end_process().await;
        if let Some(quota) = &self.quota {
            quota.remove();
        }
        ended
    }

    fn go_on(&self) -> Result<u32, Error> {
        let process = self.process("it cannot be resumed")?;
        if !self.life().paused {
            return Err(self.wrong("it was not paused"));
        }
        process.signal(Signal::CONT)?;
        self.life().paused = false;
        Ok(process.pid())
    }

    async fn end_process(&self) -> Result<(), Error> {
        let process = std::mem::take(&mut *self.life()).process;
        match process {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// The next life, at the same address; `first` when the data are a fresh copy that lacks the accounts.
    async fn start_again(&self, first: bool) -> Result<(), Error> {
        if self.state().0 != "down" {
            return Err(self.wrong("only a node that is down can be started"));
        }
        let text = settings(&self.shared, &self.folder, self.server, self.server_id, first);
        let process = launch(&self.shared, &self.folder, self.id.as_str()).at(self.server, &text).await?;
        if let Some(quota) = &self.quota {
            quota.add(process.pid())?;
        }
        *self.life() = Life { process: Some(Arc::new(process)), paused: false };
        Ok(())
    }

    fn state(&self) -> (&'static str, Option<u32>) {
        let life = self.life();
        match &life.process {
            Some(process) if process.ended().is_none() => {
                (if life.paused { "paused" } else { "running" }, Some(process.pid()))
            }
            _ => ("down", None),
        }
    }

    fn process(&self, otherwise: &'static str) -> Result<Arc<Process>, Error> {
        let process = self.life().process.clone().filter(|process| process.ended().is_none());
        process.ok_or_else(|| self.wrong(otherwise))
    }

    fn wrong(&self, what: &'static str) -> Error {
        Error::WrongState { node: self.id.clone(), state: self.state().0, what }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn launch<'a>(shared: &'a Shared, folder: &'a NodeFolder, what: &'a str) -> Launch<'a> {
    let (program, account) = (&shared.program, &shared.accounts.operator);
    Launch { nursery: &shared.nursery, program, folder, account, limit: shared.spec.start_limit, what }
}

/// The text of `my.cnf`.
fn settings(
    shared: &Shared,
    folder: &NodeFolder,
    address: SocketAddr,
    server_id: u32,
    first: bool,
) -> String {
    let init_file = folder.init_file();
    NodeOptions {
        program: &shared.program,
        folder,
        address,
        server_id,
        durability: shared.spec.durability,
        buffer_pool_mib: shared.spec.buffer_pool_mib,
        init_file: first.then_some(init_file.as_path()),
        extra: &shared.spec.server_options,
    }
    .text()
}

/// The node's processor group, noted for removal before it is made.
fn quota(shared: &Shared, number: u32) -> Result<Quotas, Error> {
    let Plan::Quota { groups, share } = &shared.plan else { return Ok(None) };
    let run = shared.folder.path().file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{run}-n{number}");
    shared.folder.note_group(&groups.path(&name))?;
    groups.limit(&name, *share).map(Some)
}
