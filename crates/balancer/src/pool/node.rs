//! One thread's connections to one node.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use cluster::NodeId;
use tokio::time::Instant;

use super::Want;
use super::budget::{Budget, Full, SLACK, Slot};
use super::connect::{Connection, Key};
use super::lease::Pooled;
use super::queue::{Queue, Standing};
use crate::telemetry::Meter;
use crate::wire::transport::Cutter;

/// A connection whose last statement may still be asked about is left alone so long, if others are free.
const KEPT_FOR_OWNER: Duration = Duration::from_secs(2);
/// An idle connection keeps a buffer of this size, in bytes; a larger one is given up after a second.
const KEPT_BUFFER: usize = 16 << 10;
/// So many are made at once for the warm minimum.
const WARMED_AT_ONCE: usize = 8;

/// The connections to one node.
#[derive(Debug)]
pub struct NodePool {
    pub(super) id: NodeId,
    pub(super) queue: Queue,
    #[expect(clippy::vec_box, reason = "a connection moves in and out with every statement")]
    idle: RefCell<Vec<Box<Pooled>>>,
    pub(super) budget: Arc<Budget>,
    thread: usize,
    /// All connections, in use or not, to cut them: by epoch.
    all: RefCell<Vec<(u64, Cutter)>>,
    epoch: Cell<u64>,
    /// What was asked for when a connection was made last.
    last_key: Cell<Option<Key>>,
}

/// What there is for a statement.
#[derive(Debug)]
pub(super) enum Found {
    /// A connection.
    Idle(Box<Pooled>),
    /// The right to make one.
    Slot(Slot),
}

impl NodePool {
    pub(super) fn new(id: NodeId, thread: usize, budget: Arc<Budget>) -> Self {
        Self {
            id,
            queue: Queue::default(),
            idle: RefCell::default(),
            budget,
            thread,
            all: RefCell::default(),
            epoch: Cell::new(0),
            last_key: Cell::new(None),
        }
    }

    /// The idle connection that was used last, if it fits, is in the very state that is wanted, and nothing has come
    /// over it.
    pub(super) fn take_ready(&self, epoch: u64, want: Want<'_>) -> Option<Box<Pooled>> {
        let mut idle = self.idle.borrow_mut();
        let last = &mut idle.last_mut()?.connection;
        let ready = std::rc::Rc::ptr_eq(&last.image, want.image)
            && (!last.remembers || last.owner == want.owner)
            && fits(last, epoch, want)
            && last.knows_its_schema()
            && last.is_quiet();
        if ready { idle.pop() } else { None }
    }

    /// The best idle connection for somebody.
    pub(super) fn take_idle(&self, epoch: u64, want: Want<'_>) -> Option<Box<Pooled>> {
        if self.epoch.replace(epoch) != epoch {
            self.idle.borrow_mut().retain(|pooled| pooled.connection.epoch == epoch);
        }
        let mut idle = self.idle.borrow_mut();
        let last = &idle.last()?.connection;
        if fits(last, epoch, want)
            && (!last.remembers || last.owner == want.owner)
            && std::rc::Rc::ptr_eq(&last.image, want.image)
        {
            return idle.pop();
        }
        let (at, kept) = best(&idle, epoch, want)?;
        // One that its owner may still ask about is spared while there is room for more.
        if kept && self.budget.has_room() && !self.budget.anybody_waits() {
            return None;
        }
        Some(idle.remove(at))
    }

    /// The very connection with this serial number, if it is idle and nobody but `owner` has used it since.
    pub(super) fn take_serial(&self, serial: u64, owner: u32) -> Option<Box<Pooled>> {
        let mut idle = self.idle.borrow_mut();
        let wanted = |pooled: &Pooled| pooled.connection.serial == serial && pooled.connection.owner == owner;
        let at = idle.iter().position(|pooled| wanted(pooled))?;
        Some(idle.remove(at))
    }

    /// The right to one more connection for a statement that came at `since`; an idle one that does not fit makes room.
    pub(super) fn try_open(&self, key: &Key, limit: usize, since: Instant) -> Result<Slot, Full> {
        if self.budget.anybody_waits() && self.budget.owed_elsewhere(self.thread, since) {
            return Err(Full::Node);
        }
        let opened = match self.budget.try_open(key.account.0 as usize, limit) {
            Err(full) => {
                // The one unused for longest; the account's own if that is what is full.
                let mut idle = self.idle.borrow_mut();
                let frees =
                    |pooled: &Pooled| full == Full::Node || pooled.connection.key.account == key.account;
                let closed = idle.iter().position(|pooled| frees(pooled)).map(|at| idle.remove(at));
                drop(idle);
                closed.ok_or(full)?;
                self.budget.try_open(key.account.0 as usize, limit)
            }
            opened => opened,
        };
        if opened.is_ok() {
            self.last_key.set(Some(*key));
        }
        opened
    }

    /// Stands in line.
    pub(super) fn wait<'a>(&'a self, meter: &'a Meter, since: Instant) -> Waiting<'a> {
        let first = self.queue.is_empty();
        let standing = self.queue.join(since);
        self.tell();
        meter.waiting.fetch_add(1, Relaxed);
        if first {
            self.budget.call_others(self.thread);
        }
        Waiting { pool: self, meter, standing: Some(standing) }
    }

    fn tell(&self) {
        self.budget.tell(self.thread, self.queue.len(), self.queue.first());
    }

    /// Gives to other threads' statements what is not in use here, and wakes those here for whom there is something.
    pub(super) fn called(&self, now: Instant) {
        if self.queue.is_empty() {
            let wanted = self.budget.waiting_elsewhere(self.thread);
            let unused = |pooled: &Pooled| now.saturating_duration_since(pooled.connection.used) >= SLACK;
            let mut idle = self.idle.borrow_mut();
            // The ones unused for longest come first.
            let given = idle.iter().take(wanted).take_while(|pooled| unused(pooled)).count();
            let given: Vec<_> = idle.drain(..given).collect();
            drop(idle);
            drop(given);
        } else {
            self.queue.wake(self.idle() + self.budget.max.saturating_sub(self.budget.open()));
        }
    }

    /// Closes what has been idle for `limit` or is too old; `min` connections in all stay open, unless too old.
    pub(super) fn reap(&self, now: Instant, limit: Duration, min: usize) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|pooled| {
            let unused = now.saturating_duration_since(pooled.connection.used);
            let buffer = &mut pooled.connection.buffer;
            if buffer.is_empty() && buffer.capacity() > KEPT_BUFFER && unused >= Duration::from_secs(1) {
                *buffer = BytesMut::new();
            }
            !pooled.is_too_old(now) && (unused < limit || self.budget.open() <= min)
        });
    }

    /// How many connections of which kind are missing, where `min` in all and `share` of this thread are to be kept.
    pub(super) fn lacks(&self, min: usize, share: usize) -> Option<(Key, usize)> {
        let key = self.last_key.get()?;
        let mine = self.all.borrow().iter().filter(|(_, cutter)| !cutter.is_gone()).count();
        let missing = share.saturating_sub(mine).min(min.saturating_sub(self.budget.open()));
        (missing > 0 && !self.budget.anybody_waits()).then(|| (key, missing.min(WARMED_AT_ONCE)))
    }

    /// Unused connections.
    pub(super) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Closes all that is idle.
    pub(super) fn clear(&self) {
        let closed = std::mem::take(&mut *self.idle.borrow_mut());
        drop(closed);
    }

    pub(super) fn register(&self, connection: &Connection) {
        let mut all = self.all.borrow_mut();
        if all.len() >= 2 * self.budget.max {
            all.retain(|(_, cutter)| !cutter.is_gone());
        }
        all.push((connection.epoch, connection.stream.cutter()));
    }

    pub(super) fn keep_only(&self, epoch: Option<u64>) {
        self.idle.borrow_mut().retain(|pooled| Some(pooled.connection.epoch) == epoch);
        self.all.borrow_mut().retain(|(of, cutter)| {
            let valid = Some(*of) == epoch;
            if !valid {
                cutter.cut();
            }
            valid && !cutter.is_gone()
        });
    }

    /// A connection comes back.
    pub(super) fn give_back(&self, pooled: Box<Pooled>) {
        let now = pooled.connection.used;
        if pooled.connection.epoch < self.epoch.get() || pooled.is_too_old(now) {
            return drop(pooled);
        }
        if self.budget.anybody_waits() && self.is_owed(now) {
            // Its slot goes to the thread that has waited for longest.
            return drop(pooled);
        }
        self.idle.borrow_mut().push(pooled);
        if !self.queue.is_empty() {
            self.queue.wake(1);
        }
    }

    /// Whether another thread's statement goes before those here.
    fn is_owed(&self, now: Instant) -> bool {
        self.budget.owed_elsewhere(self.thread, self.queue.first().unwrap_or(now))
    }
}

/// A statement in line.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    pool: &'a NodePool,
    meter: &'a Meter,
    standing: Option<Standing<'a>>,
}

impl Waiting<'_> {
    fn standing(&self) -> &Standing<'_> {
        self.standing.as_ref().expect("it stands until it is dropped")
    }

    /// Waits to be woken.
    pub(super) async fn woken(&self) {
        self.standing().woken().await;
    }

    /// Whether it is the first that does not wait for its own account's limit alone.
    pub(super) fn is_next(&self) -> bool {
        self.standing().is_next()
    }

    /// Asks the other threads again.
    pub(super) fn call_again(&self) {
        self.pool.budget.call_others(self.pool.thread);
    }

    /// There was nothing for it: notes why. Somebody behind may have another account.
    pub(super) fn told(&self, full: Full) {
        let blocked = full == Full::Account;
        if self.standing().set_blocked(blocked) && blocked {
            self.pool.queue.wake(1);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.standing().since().elapsed();
        drop(self.standing.take());
        self.pool.tell();
        self.meter.waiting.fetch_sub(1, Relaxed);
        self.meter.waited.record(waited);
        // What woke it may be enough for the next one too, who from now on looks by itself now and then.
        self.pool.queue.wake(1);
    }
}

/// Whether a connection can be brought into somebody's state at all: all but a default schema can be unset.
fn fits(connection: &Connection, epoch: u64, want: Want<'_>) -> bool {
    connection.epoch == epoch
        && connection.key == *want.key
        && (connection.image.schema.is_none() || want.image.schema.is_some())
}

/// The best of the idle connections that fit, the one used last among equals, and whether it is kept for its owner.
fn best(idle: &[Box<Pooled>], epoch: u64, want: Want<'_>) -> Option<(usize, bool)> {
    let kept = |c: &Connection| c.remembers && c.owner != want.owner && c.used.elapsed() < KEPT_FOR_OWNER;
    let mut best: Option<(usize, (bool, u8))> = None;
    for (at, Pooled { connection, .. }) in idle.iter().map(|pooled| &**pooled).enumerate().rev() {
        if !fits(connection, epoch, want) {
            continue;
        }
        let steps = match () {
            () if connection.image == *want.image => 0,
            () if connection.image.leads_to(want.image) => 1,
            // All has to be reset first.
            () => 2,
        };
        let rank = (kept(connection), steps);
        if best.is_none_or(|(_, before)| rank < before) {
            best = Some((at, rank));
        }
        if rank == (false, 0) {
            break;
        }
    }
    best.map(|(at, (kept, _))| (at, kept))
}
