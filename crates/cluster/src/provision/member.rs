//! One node of a local cluster: its process over all its lives, and what belongs to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::admin::Admin;
use crate::capacity::Plan;
use crate::capacity::quota::Quota;
use crate::error::Error;
use crate::fault::full::Watched;
use crate::fault::link::{Link, Trouble};
use crate::fault::{Crowd, Fault, Slowed, replication, turned_away};
use crate::mariadbd::datadir;
use crate::mariadbd::launch::Launch;
use crate::mariadbd::options::{NodeFolder, NodeOptions};
use crate::mariadbd::process::Process;
use crate::node::{NodeId, Role};
use crate::provision::accounts_sql;
use crate::provision::approach::Slot;
use crate::provision::local::{LocalNode, Shared};

/// Shutting down in good order; after that it is killed.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);
/// A statement that breaks or mends.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// Between two tries for the one place beyond all others of a full node.
const PLACE_LOOK: Duration = Duration::from_millis(10);

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
    slot: Arc<Slot>,
    quota: Quotas,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Life {
    process: Option<Arc<Process>>,
    paused: bool,
    slowed: Option<Slowed>,
    crowd: Option<Crowd>,
    /// Its replication was stopped or delayed.
    unfollowing: bool,
}

impl Life {
    fn new(process: Process) -> Self {
        Self { process: Some(Arc::new(process)), ..Self::default() }
    }
}

/// The node's own group, if the plan has quotas.
type Quotas = Option<Quota>;

impl Member {
    /// Starts the first life of node `number` on a folder that has its data: at the ports kept for it, or at free ones.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        number: u32,
        kept: Option<Arc<Slot>>,
        first_role: Role,
        folder: NodeFolder,
    ) -> Result<Self, Error> {
        let id = NodeId::new(format!("n{number}"));
        accounts_sql::write(&folder.init_file(), &shared.accounts, &shared.spec.database)?;
        let settings = |address| settings(&shared, &folder, address, number, true);
        let launch = launch(&shared, &folder, id.as_str());
        let started = match kept {
            None => launch.on_free_port(&shared.ports, settings).await.and_then(|(process, port)| {
                let slot = Slot::new(&shared, number, port)?;
                Ok((process, slot))
            }),
            Some(slot) => {
                let process = launch.at(slot.server(), &settings(slot.server())).await;
                process.map(|process| (process, slot))
            }
        };
        accounts_sql::remove(&folder.init_file())?;
        let (process, slot) = started?;
        let quota = quota(&shared, number)?;
        if let Some(quota) = &quota {
            quota.add(process.pid())?;
        }
        shared.processes.set(number, process.pid());
        let life = Mutex::new(Life::new(process));
        let (acting, server) = (tokio::sync::Mutex::new(()), slot.server());
        Ok(Self { id, server_id: number, first_role, server, folder, acting, life, slot, quota, shared })
    }

    /// The node as it is now.
    pub(crate) fn now(&self) -> LocalNode {
        let (state, pid) = self.state();
        LocalNode {
            id: self.id.clone(),
            server_id: self.server_id,
            first_role: self.first_role,
            address: self.slot.approach.clients(self.server),
            peers: self.peers(),
            server: self.server,
            pid,
            state,
            data_dir: self.folder.data(),
            log: self.folder.log(),
        }
    }

    /// Where the other nodes follow it.
    pub(crate) fn peers(&self) -> SocketAddr {
        self.slot.approach.peers(self.server)
    }

    /// The relay in front of it, where there is one through which everybody goes.
    pub(crate) fn relay(&self) -> Option<&Link> {
        self.slot.approach.relay()
    }

    /// Makes trouble on its own relay, for its own sake.
    pub(crate) fn trouble(&self, trouble: Trouble) -> Result<(), Error> {
        let relay = self.relay().ok_or_else(|| Error::NoRelay(self.id.clone()))?;
        relay.strike(self.server_id, trouble);
        Ok(())
    }

    /// Breaks it in a way that has nothing to do with the network.
    pub(crate) async fn strike(&self, fault: &Fault) -> Result<(), Error> {
        let _turn = self.acting.lock().await;
        match fault {
            Fault::Stop => self.shut_down().await,
            Fault::Slow { percent } => {
                let process = self.process("it cannot be slowed down")?;
                self.quicken().await;
                self.life().slowed = Some(Slowed::begin(process, *percent));
                Ok(())
            }
            Fault::StopReplication => self.unfollow(replication::stop(&mut self.operator().await?).await?),
            Fault::DelayReplication { seconds } => {
                self.unfollow(replication::delay(&mut self.operator().await?, *seconds).await?)
            }
            Fault::TooManyConnections => {
                self.process("its connections cannot be taken")?;
                self.disperse().await?;
                let crowd = Crowd::gather(self.server, &self.shared.accounts, STATEMENT_LIMIT).await?;
                self.life().crowd = Some(crowd);
                Ok(())
            }
            Fault::DiskFull => {
                let process = self.process("there is nobody to write")?;
                let watched = process.watched();
                watched
                    .ok_or_else(|| {
                        self.wrong("its writes are not watched; start the cluster with watch_writes")
                    })?
                    .set_full(true);
                Ok(())
            }
            _ => Err(self.wrong("this fault is done in another way")),
        }
    }

    fn unfollow(&self, done: bool) -> Result<(), Error> {
        self.life().unfollowing |= done;
        if done { Ok(()) } else { Err(self.wrong("it follows nobody, there is no replication to break")) }
    }

    /// A connection of the operator's.
    ///
    /// On a full node the one place beyond all others may be held for a moment by somebody who is just leaving, the last
    /// one turned away or a probe: it is waited for.
    async fn operator(&self) -> Result<Admin, Error> {
        let end = Instant::now() + STATEMENT_LIMIT;
        loop {
            match Admin::connect(self.server, &self.shared.accounts.operator, STATEMENT_LIMIT).await {
                Err(error) if turned_away(&error) && self.life().crowd.is_some() && Instant::now() < end => {
                    sleep(PLACE_LOOK).await;
                }
                connected => return Ok(connected?),
            }
        }
    }

    pub(crate) async fn kill(&self) -> Result<u32, Error> {
        let _turn = self.acting.lock().await;
        let process = self.process("there is nothing to kill")?;
        process.kill().await?;
        *self.life() = Life::default();
        Ok(process.pid())
    }

    async fn shut_down(&self) -> Result<(), Error> {
        let process = self.process("there is nothing to stop")?;
        self.quicken().await;
        if self.life().paused {
            return Err(self.wrong("it cannot hear that it is to stop"));
        }
        process.signal(Signal::TERM)?;
        if process.wait(SHUTDOWN_LIMIT).await.is_err() {
            process.kill().await?;
        }
        *self.life() = Life::default();
        Ok(())
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
        self.quicken().await;
        // Noted first: should the wait fail, healing must still let it go on.
        self.life().paused = true;
        process.pause().await?;
        Ok(process.pid())
    }

    pub(crate) async fn resume(&self) -> Result<u32, Error> {
        let _turn = self.acting.lock().await;
        self.go_on()
    }

    /// Undoes all but the troubles of links; tells what was done.
    pub(crate) async fn heal(&self) -> Result<Vec<String>, Error> {
        let _turn = self.acting.lock().await;
        let mut done = Vec::new();
        if self.quicken().await {
            done.push("runs all the time again".to_owned());
        }
        if self.free_disk().await? {
            done.push("there is space again".to_owned());
        }
        match self.state().0 {
            "paused" => done.push(format!("process {} goes on", self.go_on()?)),
            "down" => {
                self.start_again(false).await?;
                done.push(format!("started again as process {}", self.state().1.unwrap_or_default()));
            }
            _ => {}
        }
        if self.disperse().await? {
            done.push("connections are free again".to_owned());
        }
        if self.life().unfollowing {
            replication::heal(&mut self.operator().await?).await?;
            self.life().unfollowing = false;
            done.push("replicates again".to_owned());
        }
        Ok(done)
    }

    /// Lets a slowed process run; tells whether it was slowed.
    async fn quicken(&self) -> bool {
        let slowed = self.life().slowed.take();
        match slowed {
            Some(slowed) => {
                slowed.end().await;
                true
            }
            None => false,
        }
    }

    /// Ends a server that waits for space: it would look again in a minute. Tells whether it did.
    async fn free_disk(&self) -> Result<bool, Error> {
        let process = self.life().process.clone();
        let Some(process) = process.filter(|process| process.watched().is_some_and(Watched::is_full)) else {
            return Ok(false);
        };
        process.kill().await?;
        *self.life() = Life::default();
        Ok(true)
    }

    /// Gives the node's connections back; tells whether they had been taken.
    async fn disperse(&self) -> Result<bool, Error> {
        let crowd = self.life().crowd.take();
        let Some(crowd) = crowd else { return Ok(false) };
        crowd.leave().await?;
        Ok(true)
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
        let Life { process, .. } = std::mem::take(&mut *self.life());
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
        self.shared.processes.set(self.server_id, process.pid());
        *self.life() = Life::new(process);
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
    Launch {
        nursery: &shared.nursery,
        program,
        folder,
        account,
        limit: shared.spec.start_limit,
        what,
        watched: shared.spec.watch_writes,
    }
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
