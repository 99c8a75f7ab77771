//! How sessions are reached from other threads: by the id that their client was greeted with.
//!
//! A session looks at its alarm whenever it is polled anyway: one relaxed load, no lock, no clock. The list of all
//! sessions is locked at logins, at their ends, and by KILL.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Ids of clients begin here, out of the way of the thread ids of nodes: who kills by a node's id hits nobody else.
pub const FIRST_ID: u32 = 1 << 30;

/// What KILL wants to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Call {
    /// The statement under way.
    EndStatement = 1,
    /// The session.
    EndSession = 2,
}

/// A bell that another thread may ring.
#[derive(Debug, Default)]
struct Bell {
    call: AtomicU8,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Entry {
    bell: Arc<Bell>,
    account: Box<str>,
}

/// All sessions, by id.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<HashMap<u32, Entry>>,
}

/// Why a session was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReached {
    /// There is no such session.
    Unknown,
    /// It is another account's.
    NotOwner,
}

/// A session's own end of its bell; taken off the list when it is dropped.
#[derive(Debug)]
pub struct Alarm {
    id: u32,
    bell: Arc<Bell>,
    armed: Cell<bool>,
    registry: Arc<Registry>,
}

impl Registry {
    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a session on the list.
    pub fn enter(self: &Arc<Self>, id: u32, account: &str) -> Alarm {
        let bell = Arc::new(Bell::default());
        self.entries().insert(id, Entry { bell: bell.clone(), account: account.into() });
        Alarm { id, bell, armed: Cell::new(false), registry: self.clone() }
    }

    /// Rings a session for `account`; `all`: it may end any session.
    ///
    /// # Errors
    /// Nobody has the id, or somebody else.
    pub fn ring(&self, id: u32, account: &str, all: bool, call: Call) -> Result<(), NotReached> {
        let entries = self.entries();
        let entry = entries.get(&id).ok_or(NotReached::Unknown)?;
        if !all && *entry.account != *account {
            return Err(NotReached::NotOwner);
        }
        entry.bell.call.fetch_max(call as u8, Ordering::Release);
        entry.bell.waker.wake();
        Ok(())
    }
}

impl Alarm {
    /// The session is another account's from now on.
    pub fn belongs_to(&self, account: &str) {
        if let Some(entry) = self.registry.entries().get_mut(&self.id) {
            entry.account = account.into();
        }
    }

    /// Whether something has been called for and not been looked at; otherwise the task that polls is woken when it is.
    pub fn is_ringing(&self, context: &Context<'_>) -> bool {
        if !self.armed.get() {
            // A session is one task all its life, so once is enough until somebody has rung.
            self.bell.waker.register(context.waker());
            self.armed.set(true);
        }
        self.is_rung()
    }

    /// What has been called for, once; otherwise the task that polls is woken when it is.
    pub fn rung(&self, context: &Context<'_>) -> Option<Call> {
        if !self.is_ringing(context) {
            return None;
        }
        self.armed.set(false);
        match self.bell.call.swap(0, Ordering::Acquire) {
            0 => None,
            1 => Some(Call::EndStatement),
            _ => Some(Call::EndSession),
        }
    }

    /// Whether something has been called for and not been looked at.
    pub fn is_rung(&self) -> bool {
        self.bell.call.load(Ordering::Relaxed) != 0
    }

    /// What comes of `work`; `None` as soon as the session is to end. Nothing is under way meanwhile that KILL QUERY
    /// could end.
    pub async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            while let Some(call) = self.rung(context) {
                if call == Call::EndSession {
                    return Poll::Ready(None);
                }
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn who_owns_a_session_may_end_it() {
        let registry = Arc::new(Registry::default());
        let alarm = registry.enter(7, "shop");
        let context = Context::from_waker(Waker::noop());
        assert_eq!(registry.ring(8, "shop", false, Call::EndSession), Err(NotReached::Unknown));
        assert_eq!(registry.ring(7, "other", false, Call::EndSession), Err(NotReached::NotOwner));
        assert_eq!(alarm.rung(&context), None);
        assert_eq!(registry.ring(7, "shop", false, Call::EndStatement), Ok(()));
        assert_eq!(registry.ring(7, "operator", true, Call::EndSession), Ok(()));
        assert_eq!(registry.ring(7, "shop", false, Call::EndStatement), Ok(()));
        assert_eq!(alarm.rung(&context), Some(Call::EndSession), "the stronger call stands");
        assert_eq!(alarm.rung(&context), None);
        registry.ring(7, "shop", false, Call::EndStatement).unwrap();
        assert!(alarm.is_rung());
        assert_eq!(alarm.rung(&context), Some(Call::EndStatement));
        assert!(!alarm.is_rung());
        alarm.belongs_to("other");
        assert_eq!(registry.ring(7, "other", false, Call::EndStatement), Ok(()));
        drop(alarm);
        assert_eq!(registry.ring(7, "other", false, Call::EndStatement), Err(NotReached::Unknown));
    }

    #[test]
    fn a_ring_wakes_also_after_an_earlier_one() {
        use std::sync::atomic::AtomicUsize;
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let context = Context::from_waker(&waker);
        let registry = Arc::new(Registry::default());
        let alarm = registry.enter(1, "shop");
        for rung in 1..=3 {
            assert_eq!(alarm.rung(&context), None);
            registry.ring(1, "shop", false, Call::EndStatement).unwrap();
            assert_eq!(count.0.load(Ordering::Relaxed), rung);
            assert_eq!(alarm.rung(&context), Some(Call::EndStatement));
        }
    }
}
