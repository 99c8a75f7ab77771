//! A fake MySQL server for tests: it speaks MySQL's protocol and dialect as far as the balancer uses them, and answers all
//! else as MySQL would, so that a word of MariaDB's that is sent to it fails loudly.
//!
//! Its data are numbers in one table `t`, and one journal of transactions that all nodes share: a replica has applied as
//! much of it as its delay lets it.

#![allow(dead_code, reason = "each test file uses a part")]

mod dialogue;
mod statements;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use balancer::config::{Config, Node};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// What the nodes have in common.
#[derive(Default)]
pub struct World {
    /// All transactions: who wrote it first, what, when.
    pub journal: Vec<(usize, i64, Instant)>,
    pub nodes: Vec<State>,
}

/// One node's state.
pub struct State {
    pub version: &'static str,
    pub gtid_mode: &'static str,
    pub read_only: bool,
    /// Whom it follows.
    pub source: Option<usize>,
    /// So late it applies.
    pub delay: Duration,
    /// How much of the journal it has applied.
    pub applied: usize,
    pub semi_sync: bool,
    pub address: SocketAddr,
    pub alive: bool,
    /// All statements of clients' sessions (not of the operator), and how their connections were at that moment.
    pub log: Vec<(String, String)>,
    /// Accounts whose password is in the server's cache, so that a login needs its digest alone.
    pub cached: BTreeSet<Vec<u8>>,
}

impl World {
    /// Lets a replica apply what is due.
    fn advance(&mut self, index: usize) {
        let node = &self.nodes[index];
        let (follows, mut applied, delay) = (node.source.is_some(), node.applied, node.delay);
        while follows && applied < self.journal.len() && self.journal[applied].2 + delay <= Instant::now() {
            applied += 1;
        }
        self.nodes[index].applied = applied;
    }

    /// `@@GLOBAL.gtid_executed` of the first so many transactions, as MySQL writes it.
    pub fn executed(&self, applied: usize) -> String {
        let count = |node| self.journal[..applied].iter().filter(|(by, ..)| *by == node).count();
        let sets = (0..self.nodes.len()).filter(|node| count(*node) > 0).map(|node| match count(node) {
            1 => format!("{}:1", uuid(node)),
            last => format!("{}:1-{last}", uuid(node)),
        });
        sets.collect::<Vec<_>>().join(",\n")
    }

    /// A write on a node; returns its GTID.
    fn write(&mut self, index: usize, number: i64) -> String {
        self.journal.push((index, number, Instant::now()));
        self.nodes[index].applied = self.journal.len();
        let count = self.journal.iter().filter(|(by, ..)| *by == index).count();
        format!("{}:{count}", uuid(index))
    }
}

/// `@@server_uuid` of a node.
pub fn uuid(index: usize) -> String {
    format!("3e11fa47-71ca-11e1-9e33-c80aa942956{index}")
}

/// A handle on the world.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// What client sessions have said to a node, without the settings.
    pub fn said(&self, index: usize, text: &str) -> usize {
        self.lock().nodes[index].log.iter().filter(|(said, _)| said.starts_with(text)).count()
    }

    /// Somebody else's tool makes a node the primary, and all others follow it.
    pub fn promote(&self, index: usize) {
        let mut world = self.lock();
        world.advance(index);
        for (at, node) in world.nodes.iter_mut().enumerate() {
            node.read_only = at != index;
            node.source = (at != index).then_some(index);
        }
    }
}

/// One fake server.
pub struct Server {
    pub world: Shared,
    pub index: usize,
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a node more: the first is the primary, all others follow it.
    pub async fn start(world: &Shared, version: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let index = {
            let mut world = world.lock();
            let index = world.nodes.len();
            if index == 0 {
                // The table has been made.
                world.journal.push((0, 0, Instant::now()));
            }
            world.nodes.push(State {
                version,
                gtid_mode: "ON",
                read_only: index > 0,
                source: (index > 0).then_some(0),
                delay: Duration::ZERO,
                applied: 1,
                semi_sync: true,
                address,
                alive: true,
                log: Vec::new(),
                cached: BTreeSet::new(),
            });
            index
        };
        let task = tokio::spawn(serve(listener, world.clone(), index));
        Self { world: world.clone(), index, address, task }
    }

    /// Ends it with all its connections.
    pub async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        let mut world = self.world.lock();
        world.nodes[self.index].alive = false;
        world.nodes[self.index].cached.clear();
    }

    /// Starts it again on its port.
    pub async fn restart(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        self.world.lock().nodes[self.index].alive = true;
        self.task = tokio::spawn(serve(listener, self.world.clone(), self.index));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, world: Shared, index: usize) {
    let key = dialogue::key();
    let mut clients = JoinSet::new();
    let mut ids = 10;
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        ids += 1;
        let (world, key, id) = (world.clone(), key.clone(), ids);
        clients.spawn(async move {
            // A client that leaves ends its dialogue.
            let _ = dialogue::Dialogue::new(stream, world, index, id, key).run().await;
        });
        while clients.try_join_next().is_some() {}
    }
}

/// A balancer's configuration in front of such nodes.
pub fn config(nodes: &[SocketAddr]) -> Config {
    let mut config: Config = toml::from_str(
        "listen = '127.0.0.1:0'\nworkers = 1\nslow_start_ms = 0\nnodes = []\n\
         operator = { name = 'operator', password = \"operator's\" }\n\
         replication = { name = 'replication', password = 'x' }\n\
         accounts = [{ name = 'shop', password = 'secret' }]\n\
         elastic = { automatic = false }",
    )
    .unwrap();
    let node = |(at, address): (usize, &SocketAddr)| Node {
        name: format!("n{}", at + 1),
        address: *address,
        direct_address: None,
        weight: 1,
        candidate: false,
    };
    config.nodes = nodes.iter().enumerate().map(node).collect();
    config
}
