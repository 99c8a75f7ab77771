//! A node that lies: a relay between browsers and a node that does to one chosen statement what no node may do.
#![allow(dead_code, reason = "each program uses its part of this")]

pub mod trials;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// `COM_QUERY`, `COM_STMT_PREPARE`, `COM_STMT_EXECUTE`.
const QUERY: u8 = 3;
const PREPARE: u8 = 22;
const EXECUTE: u8 = 23;

/// What the node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Rolls an order back and says that it was committed.
    Drops,
    /// Does an order twice.
    Repeats,
    /// Shows a cart as it was before.
    Delays,
    /// Shows somebody else's cart.
    Swaps,
}

impl Lie {
    pub const ALL: [Self; 4] = [Self::Drops, Self::Repeats, Self::Delays, Self::Swaps];
}

/// The relay; it lies once, at the chosen opportunity.
#[derive(Debug)]
pub struct Liar {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    lie: Lie,
    /// Opportunities that still pass before the lie is told.
    before: AtomicU32,
    told: AtomicU32,
    /// The last cart that anybody was shown: request and answer.
    carts: Mutex<Option<(Vec<u8>, Vec<u8>)>>,
}

impl Shared {
    /// Whether this opportunity is the one.
    fn now(&self) -> bool {
        let left = self.before.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left == Ok(1) && self.told.fetch_add(1, Ordering::SeqCst) == 0
    }
}

impl Liar {
    /// In front of `node`; lies at opportunity number `at`, the first is 1.
    pub async fn start(node: SocketAddr, lie: Lie, at: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (before, told) = (AtomicU32::new(at), AtomicU32::new(0));
        let shared = Arc::new(Shared { lie, before, told, carts: Mutex::default() });
        let told = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = told.clone();
                tokio::spawn(async move {
                    let node = TcpStream::connect(node).await?;
                    let _ = (client.set_nodelay(true), node.set_nodelay(true));
                    Pass::new(client, node, shared).run().await
                });
            }
        });
        Self { address, shared, task }
    }

    /// Whether the lie was told.
    pub fn told(&self) -> bool {
        self.shared.told.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection: a question, then all of its answer, then the next question.
struct Pass {
    client: TcpStream,
    node: TcpStream,
    shared: Arc<Shared>,
    /// The text of each prepared statement.
    prepared: HashMap<[u8; 4], String>,
    /// Questions since the last `BEGIN`.
    transaction: Vec<Vec<u8>>,
    /// What each cart was shown as.
    shown: HashMap<Vec<u8>, Vec<u8>>,
}

impl Pass {
    fn new(client: TcpStream, node: TcpStream, shared: Arc<Shared>) -> Self {
        let (prepared, transaction, shown) = Default::default();
        Self { client, node, shared, prepared, transaction, shown }
    }

    async fn run(mut self) -> io::Result<()> {
        self.log_in().await?;
        loop {
            let question = packet(&mut self.client).await?;
            let answer = self.answer(question).await?;
            self.client.write_all(&answer).await?;
        }
    }

    /// Until the client's first command everything passes as it is.
    async fn log_in(&mut self) -> io::Result<()> {
        loop {
            let mut told = packet(&mut self.node).await?;
            if told[3] == 0 {
                without_short_ends(&mut told);
            }
            self.client.write_all(&told).await?;
            // OK: the login is over. Error: the client will go.
            if told[3] > 0 && matches!(told[4], 0 | 0xff) {
                return Ok(());
            }
            let reply = packet(&mut self.client).await?;
            self.node.write_all(&reply).await?;
        }
    }

    async fn answer(&mut self, question: Vec<u8>) -> io::Result<Vec<u8>> {
        let (command, text) = (question[4], String::from_utf8_lossy(&question[5..]).into_owned());
        let statement = self.statement(&question);
        match (command, text.as_str()) {
            (QUERY, "COMMIT") => return self.commit(question).await,
            (QUERY, "BEGIN" | "START TRANSACTION") => self.transaction.clear(),
            _ => self.transaction.push(question.clone()),
        }
        let answer = self.ask(&question).await?;
        if command == PREPARE && answer[4] == 0 {
            self.prepared.insert([answer[5], answer[6], answer[7], answer[8]], text);
        }
        if statement.contains("FROM shopping_cart ") && statement.starts_with("SELECT scl_i_id") {
            return Ok(self.cart(question, answer).await);
        }
        Ok(answer)
    }

    fn statement(&self, question: &[u8]) -> String {
        let id = (question[4] == EXECUTE).then(|| [question[5], question[6], question[7], question[8]]);
        id.and_then(|id| self.prepared.get(&id)).cloned().unwrap_or_default()
    }

    async fn commit(&mut self, question: Vec<u8>) -> io::Result<Vec<u8>> {
        let done = std::mem::take(&mut self.transaction);
        let orders = done.iter().any(|question| self.statement(question).starts_with("INSERT INTO orders"));
        match self.shared.lie {
            Lie::Drops if orders && self.shared.now() => self.ask(&command("ROLLBACK")).await,
            Lie::Repeats if orders && self.shared.now() => {
                let answer = self.ask(&question).await?;
                for question in [vec![command("BEGIN")], done, vec![command("COMMIT")]].concat() {
                    self.ask(&question).await?; // What is refused the second time is left out.
                }
                Ok(answer)
            }
            _ => self.ask(&question).await,
        }
    }

    /// A cart's lines, or what the lie makes of them; only what differs from the truth is a lie.
    async fn cart(&mut self, question: Vec<u8>, answer: Vec<u8>) -> Vec<u8> {
        let before = self.shown.insert(question.clone(), answer.clone());
        let mut carts = self.shared.carts.lock().await;
        let other = carts.replace((question.clone(), answer.clone()));
        let lie = match self.shared.lie {
            Lie::Delays => before.filter(|before| *before != answer && rows(before) > 1),
            // A cart that this session knows already: its browser has something to hold the answer against.
            Lie::Swaps => {
                let other =
                    other.filter(|(of, shown)| *of != question && *shown != answer && rows(shown) > 1);
                other.filter(|_| before.is_some()).map(|(_, shown)| shown)
            }
            _ => None,
        };
        lie.filter(|_| self.shared.now()).unwrap_or(answer)
    }

    /// Asks the node and collects its whole answer.
    async fn ask(&mut self, question: &[u8]) -> io::Result<Vec<u8>> {
        self.node.write_all(question).await?;
        if matches!(question[4], 0x01 | 0x18 | 0x19) {
            return Ok(Vec::new()); // Quit, long data and close are not answered.
        }
        let mut whole = packet(&mut self.node).await?;
        let first = whole[4];
        if matches!(first, 0 | 0xff) && question[4] != PREPARE {
            return Ok(whole);
        }
        // Definitions and rows each end with EOF; a prepared statement has as many such parts as it has parameters and columns.
        let ends = match question[4] {
            PREPARE if first == 0 => {
                let count = |at: usize| u16::from_le_bytes([whole[at], whole[at + 1]]);
                usize::from(count(9) > 0) + usize::from(count(11) > 0)
            }
            PREPARE => 0,
            _ => 2,
        };
        let mut seen = 0;
        while seen < ends {
            let next = packet(&mut self.node).await?;
            let error = next[4] == 0xff;
            seen += usize::from(next[4] == 0xfe && next.len() < 13);
            whole.extend(next);
            if error {
                break;
            }
        }
        Ok(whole)
    }
}

fn command(text: &str) -> Vec<u8> {
    let mut bytes = ((text.len() + 1) as u32).to_le_bytes().to_vec();
    bytes.push(QUERY);
    bytes.extend(text.as_bytes());
    bytes
}

/// Takes `CLIENT_DEPRECATE_EOF` (bit 24) and MariaDB's own capabilities out of a greeting: rows then end as they always did,
/// and columns always come before them.
fn without_short_ends(greeting: &mut [u8]) {
    let version = greeting.iter().skip(5).position(|byte| *byte == 0).expect("a version");
    // Thread, scramble, filler, lower capabilities, character set, status; then the upper capabilities.
    let upper = 5 + version + 1 + 4 + 8 + 1 + 2 + 1 + 2;
    greeting[upper + 1] &= !1;
    // The length of the scramble and six bytes of nothing, then MariaDB's own.
    greeting[upper + 9..upper + 13].fill(0);
}

/// The rows of a whole answer.
fn rows(answer: &[u8]) -> usize {
    let (mut packets, mut at) = (0, 0);
    while at + 4 <= answer.len() {
        at += 4 + u32::from_le_bytes([answer[at], answer[at + 1], answer[at + 2], 0]) as usize;
        packets += 1;
    }
    // Beside the rows: the number of columns, the columns, and the two ends.
    usize::saturating_sub(packets, usize::from(answer[4]) + 3)
}

/// One packet with its header. Statements of the shop are shorter than 16 MiB.
async fn packet(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut whole = vec![0; 4];
    from.read_exact(&mut whole).await?;
    let length = u32::from_le_bytes([whole[0], whole[1], whole[2], 0]) as usize;
    whole.resize(4 + length, 0);
    from.read_exact(&mut whole[4..]).await?;
    if length == 0 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(whole) }
}
