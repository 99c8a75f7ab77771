//! What a session is in the middle of, and what it has seen: taken in from each answer.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use cluster::replication::gtid::GtidPosition;

use crate::pool::image::{Image, Images};
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::sql::classify::{Kind, Marks};
use crate::sql::lexer::Manner;
use crate::telemetry::Meter;
use crate::wire::capabilities::status;

use super::relay::seen::Seen;
use super::roster::Pins;

/// The server reads backslashes in texts as they stand.
const NO_BACKSLASH_ESCAPES: u16 = 0x200;
/// ER_PARSE_ERROR.
pub(super) const PARSE_ERROR: u16 = 1064;

/// One session's state.
#[derive(Debug)]
pub struct State {
    /// What is set up again on whichever connection its statements run.
    pub image: Rc<Image>,
    /// Its default schema, while a statement runs without it because it has been dropped.
    pub mislaid: Option<Box<[u8]>>,
    /// The status that the last answer told.
    pub status: u16,
    /// How far its own writes have come.
    pub last_write: GtidPosition,
    /// What ties it to its connection.
    pub ties: Marks,
    /// The open transaction may have written something.
    pub wrote: bool,
    /// A SET TRANSACTION waits for its transaction.
    pub next_only: bool,
    /// A transaction was lost with this node, and the client has not ended it yet.
    pub lost: Option<NodeId>,
    /// Where its last statement ran: node and connection.
    pub last: Option<(usize, u64)>,
    /// Where its last write ran.
    pub last_writer: Option<(usize, u64)>,
    /// The last AUTO_INCREMENT id that it was told.
    pub insert_id: u64,
    /// In its character set, quotes and backslashes may be halves of characters.
    pub odd_texts: bool,
    /// It has set `wait_timeout`: the client is sent away after so long without a command.
    pub wait_timeout: Option<Duration>,
    /// How its texts are read otherwise.
    pub manner: Manner,
    images: Rc<Images>,
}

impl State {
    /// The state after a login.
    pub fn new(image: Rc<Image>, collation: u16, images: Rc<Images>) -> Self {
        Self {
            image,
            mislaid: None,
            status: status::AUTOCOMMIT,
            last_write: GtidPosition::default(),
            ties: Marks::NONE,
            wrote: false,
            next_only: false,
            lost: None,
            last: None,
            last_writer: None,
            insert_id: 0,
            odd_texts: reads_oddly(collation),
            wait_timeout: None,
            manner: Manner::default(),
            images,
        }
    }

    /// Whether each statement commits by itself.
    pub fn autocommit(&self) -> bool {
        self.status & status::AUTOCOMMIT != 0
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.status & status::IN_TRANSACTION != 0
    }

    /// Takes in what an answer told, and the state that it left on the connection. Tells whether the session stays on it.
    /// `ran`: the statement was run, not merely prepared.
    pub fn take(&mut self, plan: &Plan, ran: bool, seen: &mut Seen, lease: &mut Lease) -> bool {
        if let Some(told) = seen.status {
            self.status = told & status::LASTING;
        }
        if let Some(image) = seen.image.take() {
            self.adopt(image, lease);
        }
        let writes = plan.kind == Kind::Write || plan.marks.any(Marks::UNKNOWN);
        self.wrote = self.in_transaction() && (self.wrote || writes);
        self.manner.backslashes = self.status & NO_BACKSLASH_ESCAPES == 0;
        if let Some(gtid) = &seen.gtid {
            self.last_write.require(gtid);
            lease.meter.told(gtid);
        }
        if seen.insert_id != 0 {
            self.insert_id = seen.insert_id;
        }
        // Of a text that cannot be parsed nothing has run.
        if seen.error != Some(PARSE_ERROR) || plan.marks.any(Marks::SEVERAL) {
            self.ties = self.ties.with(plan.marks.only(Marks::TIES));
        }
        if plan.marks.any(Marks::NEXT_ONLY) {
            self.next_only |= seen.error.is_none();
        } else if ran && plan.kind != Kind::Session && !self.in_transaction() {
            self.next_only = false;
        }
        self.last = Some((lease.node, lease.serial));
        if plan.kind == Kind::Write {
            self.last_writer = self.last;
        }
        // An error tells no status: with autocommit off, a transaction may have begun all the same.
        let unsure = seen.error.is_some() && !self.autocommit();
        self.stays() || unsure
    }

    /// Whether it has to stay on its connection.
    pub fn stays(&self) -> bool {
        self.in_transaction() || !self.ties.is_empty() || self.next_only
    }

    /// The state that a statement has left on the connection is the session's from now on.
    pub fn adopt(&mut self, image: Image, lease: &mut Lease) {
        if image.misreads_texts_since(&self.image) {
            self.ties = self.ties.with(Marks::VARIABLES);
        }
        self.image = self.images.one(image);
        lease.image = self.image.clone();
        self.wait_timeout = self.image.wait_timeout();
        self.odd_texts = reads_oddly(lease.key.collation) || self.image.reads_texts_oddly();
        self.manner.ansi_quotes = self.image.quotes_names();
    }

    /// What pins it to its connection.
    pub fn pins(&self) -> Pins {
        Pins::of([
            self.in_transaction(),
            self.ties.any(Marks::VARIABLES),
            self.ties.any(Marks::TEMPORARY),
            self.ties.any(Marks::LOCKS),
            self.ties.any(Marks::UNKNOWN),
            self.next_only,
            self.ties.any(Marks::CURSORS),
        ])
    }

    /// Forgets what was tied to a connection that is gone.
    pub fn untie(&mut self) {
        self.ties = Marks::NONE;
        self.next_only = false;
        self.status &= !status::IN_TRANSACTION;
    }
}

/// Collations of character sets in which a backslash may be half a character.
fn reads_oddly(collation: u16) -> bool {
    matches!(collation, 1 | 13 | 28 | 35 | 84 | 87 | 88 | 90 | 95 | 96 | 248..=250)
}

/// A connection that a session keeps between statements; counted on the node's meter.
#[derive(Debug)]
pub struct Tied {
    lease: Option<Lease>,
    meter: Arc<Meter>,
}

impl Tied {
    /// Keeps a lease.
    pub fn new(lease: Lease) -> Self {
        lease.meter.pinned.fetch_add(1, Relaxed);
        Self { meter: lease.meter.clone(), lease: Some(lease) }
    }

    /// The node that it is tied to.
    pub fn node(&self) -> Option<usize> {
        self.lease.as_ref().map(|lease| lease.node)
    }

    /// The lease itself: the session lets go of it.
    pub fn into_lease(mut self) -> Option<Lease> {
        self.lease.take()
    }

    /// The lease, to look at.
    pub fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.lease.as_mut()
    }

    /// Keeps a lease that it has lent.
    pub fn put_back(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    /// The lease again, to run a statement on; the node counts as pinned until `self` is dropped.
    pub fn lend(&mut self) -> Lease {
        self.lease.take().expect("a tie lends its lease once, then it is replaced")
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        self.meter.pinned.fetch_sub(1, Relaxed);
    }
}
