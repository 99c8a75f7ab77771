//! Connections that the browsers of a worker share: each is taken for one page and given back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::target::Link;

/// So many connections at most, made when they are first needed and again when one is spoilt. Browsers that find none free
/// wait in the order in which they came.
#[derive(Debug)]
pub(crate) struct Links<L> {
    free: Semaphore,
    /// The one used last is taken first; each with its number.
    idle: Mutex<Vec<(u64, L)>>,
    made: AtomicU64,
    /// Lost and not made again yet.
    lost: AtomicU64,
}

impl<L: Link> Links<L> {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            free: Semaphore::new(most as usize),
            idle: Mutex::new(Vec::with_capacity(most as usize)),
            made: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// The right to one connection, and one if any is idle.
    pub(crate) async fn take(&self) -> (SemaphorePermit<'_>, Option<(u64, L)>) {
        let permit = self.free.acquire().await.expect("the semaphore is never closed");
        (permit, self.idle.lock().expect("no panic while it is held").pop())
    }

    /// The number of a connection that was just made.
    pub(crate) fn number(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One of them is not to be used any more.
    pub(crate) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a new connection takes the place of a lost one.
    pub(crate) fn replaces_lost(&self) -> bool {
        self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lost| lost.checked_sub(1)).is_ok()
    }

    /// Gives a connection back, before its permit.
    pub(crate) fn give_back(&self, number: u64, link: L) {
        self.idle.lock().expect("no panic while it is held").push((number, link));
    }

    /// Says goodbye on all that are idle.
    pub(crate) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().expect("no panic while it is held"));
        futures_util::future::join_all(idle.into_iter().map(|(_, link)| link.close())).await;
    }
}
